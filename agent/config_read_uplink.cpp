#include "agent/config_read.hpp"

namespace sluice::agent {

namespace {

using bridge::kafka::DailyWindow;
using bridge::kafka::UplinkWindows;
using bridge::kafka::WindowClock;

void read_windows(ConfigSection& section, UplinkWindows& target) {
    std::vector<DailyWindow> windows;
    bool good = true;
    for (const auto* value : section.strings(
             "windows", {"times of day at which may be sent: `[\"22:00-06:00\"]`; all is kept meanwhile", "always"})) {
        const auto& text = *value->get_if<std::string>();
        const auto window = bridge::kafka::parse_daily_window(text);
        good = good && window;
        if (window) {
            windows.push_back(*window);
        } else {
            section.context().diagnostics.error(value->place, in_quotes(text) + " is not a time of day to another",
                                                "such as \"22:00-06:00\"");
        }
    }
    auto clock = WindowClock::local;
    section.read_choice<WindowClock>("clock", clock, {{"local", WindowClock::local}, {"utc", WindowClock::utc}},
                                     "which clock the windows are told by");
    if (section.has("clock") && !section.has("windows")) {
        section.warning("clock", "has no effect without windows", "windows = [\"22:00-06:00\"]");
    }
    if (good) target = UplinkWindows(std::move(windows), clock);
}

}  // namespace

void read_uplink(ConfigSection& top, Config& config) {
    auto section = subsection(top, "uplink");
    bridge::kafka::UplinkOptions uplink;
    std::uint64_t bytes = 0;
    if (section.read_size("rate", bytes, 128, 1ULL << 40U,
                          {"bytes a second over the wire, as librdkafka counts them: compressed, with all that is not "
                           "records, before TLS",
                           "no limit"}))
        uplink.rate = bytes;
    if (section.read_size("burst", bytes, 1U << 10U, 1ULL << 30U,
                          {"so much may go at once after a silence", "what `rate` gives in two seconds"}))
        uplink.burst = bytes;
    if (section.has("burst") && !section.has("rate")) {
        section.warning("burst", "has no effect without a rate", "rate = \"64KiB\"");
    }
    read_windows(section, uplink.windows);
    section.refuse_unknown();
    if (config.kafka) {
        config.kafka->uplink = std::move(uplink);
    } else if (section.is_there()) {
        section.warning("rate", "has no effect without [kafka]");
    }
}

}  // namespace sluice::agent
