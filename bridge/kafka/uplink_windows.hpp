// uplink_windows.hpp: the times of day at which may be sent, for links that cost less at night.
//
// No I/O; the time is an argument. The local time is that of TZ or /etc/localtime, daylight saving included: a window
// is as long as the clock on the wall says.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::bridge::kafka {

/// From `begin` to before `end`, since midnight. An end before the begin is on the next day.
struct DailyWindow {
    std::chrono::minutes begin;
    std::chrono::minutes end;
    friend bool operator==(const DailyWindow&, const DailyWindow&) = default;
};

/// "22:00-06:00"; "24:00" is the end of a day. nullopt where it is not that, or empty.
[[nodiscard]] std::optional<DailyWindow> parse_daily_window(std::string_view text);

enum class WindowClock : std::uint8_t { local, utc };

class UplinkWindows {
 public:
    using TimePoint = std::chrono::system_clock::time_point;

    UplinkWindows() = default;  ///< always open
    UplinkWindows(std::vector<DailyWindow> windows, WindowClock clock) : windows_(std::move(windows)), clock_(clock) {}

    [[nodiscard]] bool is_always_open() const { return windows_.empty(); }
    [[nodiscard]] bool is_open(TimePoint at) const;
    /// The next minute that is open; nullopt: none within two days.
    [[nodiscard]] std::optional<TimePoint> opens_at(TimePoint now) const;

 private:
    std::vector<DailyWindow> windows_;
    WindowClock clock_ = WindowClock::local;
};

}  // namespace sluice::bridge::kafka
