// device_registry.hpp: who sends, how often, when last, and what: of each key of each stream.
//
// A bounded table beside the way of a message: one look-up and at most 64 bytes copied a message. Where it is full, the
// longest silent of a few takes the place of a new one, so that keys that are never seen again don't fill it for good.
// Thread-safe.
#pragma once

#include "storage/record.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice::bridge {

struct Device {
    std::string stream;
    std::string key;
    storage::Timestamp first{};  ///< when it was first seen, by the gateway's clock
    storage::Timestamp last{};
    std::uint64_t messages = 0;
    std::optional<double> interval_ms{};  ///< between messages, the newer ones counting more; nullopt: there was one
    std::string value{};                  ///< the beginning of the last one's payload
    std::size_t value_bytes = 0;          ///< of all of it
};

class DeviceRegistry {
 public:
    static constexpr std::size_t kDevicesMax = 10'000;
    static constexpr std::size_t kKeyBytesMax = 256;  ///< longer keys are left out
    static constexpr std::size_t kValueBytesMax = 64;

    explicit DeviceRegistry(std::size_t devices_max = kDevicesMax) : devices_max_(devices_max) {}

    /// A record without a key is nobody's.
    void observe(const std::string& stream, const storage::Record& record, storage::Timestamp arrived);
    /// One that an earlier run of the agent knew, unless it has been seen since.
    void restore(Device device);

    [[nodiscard]] std::vector<Device> list() const;
    /// How many had to make place for others, since the start.
    [[nodiscard]] std::uint64_t replaced() const;

 private:
    struct Name {
        std::string_view stream;
        std::string_view key;
        friend bool operator==(const Name&, const Name&) = default;
    };
    struct NameHash {
        std::size_t operator()(const Name& name) const {
            const std::hash<std::string_view> hash;
            return hash(name.key) ^ (hash(name.stream) << 1U);
        }
    };
    [[nodiscard]] Device* find(const std::string& stream, const std::string& key);
    Device& add(Device device);

    const std::size_t devices_max_;
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<Device>> devices_;
    std::unordered_map<Name, std::size_t, NameHash> index_;  // the names are the devices' own
    std::size_t next_ = 0;                                   // where a place is looked for
    std::uint64_t replaced_ = 0;
};

}  // namespace sluice::bridge
