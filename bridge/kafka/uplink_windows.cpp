#include "bridge/kafka/uplink_windows.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <system_error>

namespace sluice::bridge::kafka {

namespace {

using std::chrono::minutes;
using namespace std::chrono_literals;

constexpr minutes kDay = 24h;

std::optional<int> two_digits(std::string_view text, int max) {
    int value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool good = text.size() == 2 && parsed.ec == std::errc() && parsed.ptr == text.data() + 2;
    return good && value >= 0 && value <= max ? std::optional(value) : std::nullopt;
}

/// "HH:MM", up to "24:00".
std::optional<minutes> parse_time(std::string_view text) {
    constexpr std::size_t kLength = 5;
    if (text.size() != kLength || text[2] != ':') return std::nullopt;
    const auto hour = two_digits(text.substr(0, 2), 24);
    const auto minute = two_digits(text.substr(3), 59);
    if (!hour || !minute) return std::nullopt;
    const minutes time = std::chrono::hours(*hour) + minutes(*minute);
    return time <= kDay ? std::optional(time) : std::nullopt;
}

minutes minute_of_day(UplinkWindows::TimePoint at, WindowClock clock) {
    const auto seconds = std::chrono::system_clock::to_time_t(at);
    std::tm parts{};
    if (clock == WindowClock::utc) {
        ::gmtime_r(&seconds, &parts);
    } else {
        ::localtime_r(&seconds, &parts);
    }
    return std::chrono::hours(parts.tm_hour) + minutes(parts.tm_min);
}

}  // namespace

std::optional<DailyWindow> parse_daily_window(std::string_view text) {
    const auto dash = text.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto begin = parse_time(text.substr(0, dash));
    const auto end = parse_time(text.substr(dash + 1));
    if (!begin || !end || *begin == *end || *begin == kDay || *end == 0min) return std::nullopt;
    return DailyWindow{*begin, *end};
}

bool UplinkWindows::is_open(TimePoint at) const {
    if (windows_.empty()) return true;
    const auto minute = minute_of_day(at, clock_);
    return std::any_of(windows_.begin(), windows_.end(), [&](const DailyWindow& window) {
        if (window.begin < window.end) return window.begin <= minute && minute < window.end;
        return window.begin <= minute || minute < window.end;
    });
}

std::optional<UplinkWindows::TimePoint> UplinkWindows::opens_at(TimePoint now) const {
    // Minute by minute: the local clock may jump.
    for (auto at = std::chrono::ceil<minutes>(now); at < now + 48h; at += 1min) {
        if (is_open(at)) return at;
    }
    return std::nullopt;
}

}  // namespace sluice::bridge::kafka
