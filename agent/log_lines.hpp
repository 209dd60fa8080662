// log_lines.hpp: one event as a line of a log, in each format; and what is left out of those that repeat.
#pragma once

#include "bridge/report.hpp"
#include "storage/types.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::agent {

struct LogEvent {
    storage::Timestamp time{};
    bridge::Severity severity = bridge::Severity::info;
    std::string component;
    std::string message;
    std::optional<std::int64_t> offset{};
    std::string cause{};
    std::uint64_t repeated = 0;  ///< how often it came since it was last written

    /// The stream that the component names; empty: none.
    [[nodiscard]] std::string_view stream() const;
};

[[nodiscard]] std::string text_line(const LogEvent& event);
/// key=value, quoted where it has to be.
[[nodiscard]] std::string logfmt_line(const LogEvent& event);
[[nodiscard]] std::string json_line(const LogEvent& event);
/// The journal's own fields and ours: MESSAGE, PRIORITY, SLUICE_COMPONENT, SLUICE_STREAM, SLUICE_OFFSET, SLUICE_CAUSE.
[[nodiscard]] std::vector<std::string> journal_fields(const LogEvent& event);

/// Leaves out the same event again within kWindow, and counts it: the count comes with the next one that is written.
/// Not thread-safe.
class Repeats {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::seconds kWindow{10};
    static constexpr std::size_t kKnownMax = 64;  ///< different ones that are looked for

    /// @return whether it is to be written; `event.repeated` is set then
    [[nodiscard]] bool take(LogEvent& event, TimePoint now);
    /// What was left out and whose window is over: to be written, with its count.
    [[nodiscard]] std::vector<LogEvent> due(TimePoint now);

 private:
    struct Known {
        TimePoint until;
        std::uint64_t left_out = 0;
        LogEvent last;
    };
    std::map<std::pair<std::string, std::string>, Known> known_;  // by component and message
};

}  // namespace sluice::agent
