// device_table.hpp: the state of at most so many devices; the one that was silent longest makes room for a new one.
//
// Invariants
//   - a device keeps its index until it is evicted; blocks are allocated once and used again.
//   - the order of eviction depends on the records alone.
#pragma once

#include "models/time.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice::models::rules {

struct Device {
    std::string name;
    Time newest = kLongAgo;        ///< of the records' own time
    Time arrival = kLongAgo;       ///< when the newest record arrived
    Time now = kLongAgo;           ///< how far its rules have been evaluated; newest or later
    Time late_since = kNever;      ///< arrival of the first of the late records that came last, without others between
    Time scheduled = kNever;       ///< arrival time at which a timer looks at it
    std::int64_t last_offset = 0;  ///< of the newest record
    std::uint64_t serial = 0;      ///< of all devices that ever were, so that timers of an evicted one are known
    std::unique_ptr<std::uint64_t[]> block;  // NOLINT(modernize-avoid-c-arrays): the states of all rules

    [[nodiscard]] std::byte* state() const { return reinterpret_cast<std::byte*>(block.get()); }
    /// The gateway's time at which the device's own clock shows `time`.
    [[nodiscard]] Time arrival_of(Time time) const { return later(time, arrival - newest); }
};

class DeviceTable {
 public:
    using Index = std::uint32_t;
    static constexpr Index kNone = 0xFFFFFFFF;

    DeviceTable(std::size_t devices_max, std::size_t state_bytes);

    /// kNone where it isn't there.
    [[nodiscard]] Index find(std::string_view name) const;
    [[nodiscard]] bool full() const { return by_name_.size() == devices_max_; }
    /// Which one evict() takes. Not of an empty table.
    [[nodiscard]] Index oldest() const { return oldest_; }
    void evict();
    /// A device with a block of zeros; it is the youngest. Not of a full table.
    Index add(std::string_view name);
    /// The serial number that the next device gets; set from a snapshot, before the first.
    [[nodiscard]] std::uint64_t next_serial() const { return next_serial_; }
    void next_serial(std::uint64_t serial) { next_serial_ = serial; }
    void touch(Index index);  ///< makes it the youngest

    [[nodiscard]] Device& operator[](Index index) { return entries_[index].device; }
    [[nodiscard]] const Device& operator[](Index index) const { return entries_[index].device; }
    [[nodiscard]] std::size_t size() const { return by_name_.size(); }
    /// Calls `visit(index)` from the oldest to the youngest.
    template <class Visit>
    void each(Visit visit) const {
        for (auto i = oldest_; i != kNone; i = entries_[i].younger) visit(i);
    }

 private:
    struct Entry {
        Device device;
        Index older = kNone;
        Index younger = kNone;
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };
    void unlink(Index index);
    void link_youngest(Index index);

    std::size_t devices_max_;
    std::size_t words_;
    std::uint64_t next_serial_ = 1;
    std::vector<Entry> entries_;
    std::vector<Index> free_;
    std::unordered_map<std::string, Index, Hash, std::equal_to<>> by_name_;
    Index oldest_ = kNone;
    Index youngest_ = kNone;
};

}  // namespace sluice::models::rules
