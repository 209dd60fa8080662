// logging.hpp: the log of the agent itself: one line an event, to stderr as text, logfmt or JSON, or to the journal.
//
//   2026-01-31T12:00:00.123Z info  mqtt broker:1883: connected
//   time=2026-01-31T12:00:00.123Z level=info component="mqtt broker:1883" msg=connected
//   {"time":"2026-01-31T12:00:00.123Z","level":"info","component":"mqtt broker:1883","message":"connected"}
//
// A message is one line whatever stands in it: it may quote what a peer has sent. The same one again within 10 s is
// counted, and its number said then.
#pragma once

#include "agent/config.hpp"
#include "agent/log_lines.hpp"
#include "bridge/report.hpp"

#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string_view>

namespace sluice::agent {

/// Thread-safe. A line that can't be written is lost: the agent goes on.
class Logger {
 public:
    Logger(bridge::Severity level, LogFormat format, std::FILE* file = stderr)
        : level_(level), format_(format), file_(file) {}

    void report(bridge::Severity severity, std::string_view component, const std::string& message);
    /// From now on, what is at least as severe is written.
    void set_level(bridge::Severity level) { level_ = level; }
    /// Writes what was left out as a repetition and is due. Call it a few times a second.
    void tick();

 private:
    void write(const LogEvent& event);

    std::atomic<bridge::Severity> level_;
    const LogFormat format_;
    std::FILE* const file_;
    std::mutex mutex_;
    Repeats repeats_;
};

/// A report to `logger`, which it keeps alive.
[[nodiscard]] bridge::Report make_report(std::shared_ptr<Logger> logger);
/// A report to a logger of its own.
[[nodiscard]] bridge::Report make_report(bridge::Severity level, LogFormat format, std::FILE* file = stderr);

/// "debug", "info", "warning", "error": as in agent.log_level.
[[nodiscard]] std::string_view to_string(bridge::Severity severity);

}  // namespace sluice::agent
