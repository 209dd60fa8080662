// uplink.hpp: whether anything may be sent now: not while somebody has paused it, nor outside of its daily windows.
//
// A pause is durable (a note in the catalog): it outlasts a restart, and ends with resume() alone. pause(), resume()
// and status() from any thread; is_open() on the forward thread.
#pragma once

#include "bridge/kafka/uplink_windows.hpp"
#include "storage/catalog.hpp"
#include "storage/result.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace sluice::bridge::kafka {

/// [uplink] of the configuration.
struct UplinkOptions {
    std::optional<std::uint64_t> rate;   ///< bytes a second over the wire (pacing.hpp); nullopt: as much as it takes
    std::optional<std::uint64_t> burst;  ///< bytes that may go at once; nullopt: what `rate` gives in two seconds
    UplinkWindows windows;
};

enum class UplinkState : std::uint8_t { open, paused, outside_windows };

struct UplinkStatus {
    UplinkState state = UplinkState::open;
    std::string why;                                                ///< of the pause, as it was given
    std::optional<std::chrono::system_clock::time_point> since;     ///< since when it is not open
    std::optional<std::chrono::system_clock::time_point> opens_at;  ///< the next window; nullopt: open, or paused
    std::optional<std::uint64_t> rate;                              ///< bytes a second that it may take; nullopt: any
    /// Bytes that went over the wire since the start, as pacing.hpp counts them; 0 where there is no rate.
    std::uint64_t wire_bytes = 0;
};

class Uplink {
 public:
    using TimePoint = std::chrono::system_clock::time_point;
    /// Sending ends so long before a window does: what is in flight, and a transaction, needs time to end.
    static constexpr auto kCloseAhead = std::chrono::seconds(10);

    /// Reads whether it is paused. @return the catalog's error
    [[nodiscard]] static storage::Result<std::unique_ptr<Uplink>> load(UplinkOptions options,
                                                                       storage::Catalog& catalog);

    /// On return it is durable. A second pause has a new reason. @return the catalog's error: nothing has changed
    [[nodiscard]] storage::Result<void> pause(const std::string& why, TimePoint now);
    [[nodiscard]] storage::Result<void> resume();

    /// @return whether anything may be sent; looks at the windows again a few times a second
    [[nodiscard]] bool is_open(TimePoint now);
    [[nodiscard]] UplinkStatus status() const;
    [[nodiscard]] const UplinkOptions& options() const { return options_; }
    void set_wire_bytes(std::uint64_t bytes) { wire_bytes_ = bytes; }

 private:
    struct Pause {
        TimePoint since;
        std::string why;
    };

    Uplink(UplinkOptions options, storage::Catalog& catalog) : options_(std::move(options)), catalog_(catalog) {}

    const UplinkOptions options_;
    storage::Catalog& catalog_;
    std::atomic<bool> paused_{false};
    std::atomic<std::uint64_t> wire_bytes_{0};
    TimePoint looked_at_{};     // at the windows, last
    bool in_window_ = true;     // of the forward thread
    mutable std::mutex mutex_;  // of the rest
    std::optional<Pause> pause_;
    std::optional<TimePoint> outside_since_;
};

}  // namespace sluice::bridge::kafka
