// logging.hpp: the log of the agent itself: one line an event, to stderr, as text or JSON.
//
//   2026-01-31T12:00:00.123Z info  mqtt broker:1883: connected
//   {"time":"2026-01-31T12:00:00.123Z","level":"info","component":"mqtt broker:1883","message":"connected"}
//
// A message is one line whatever stands in it: it may quote what a peer has sent.
#pragma once

#include "agent/config.hpp"
#include "bridge/report.hpp"

#include <cstdio>
#include <string_view>

namespace sluice::agent {

/// A report that writes what is at least as severe as `level` to `file`. Any thread may call it, and copies of it.
/// A line that can't be written is lost: the agent goes on.
[[nodiscard]] bridge::Report make_report(bridge::Severity level, LogFormat format, std::FILE* file = stderr);

/// "debug", "info", "warning", "error": as in agent.log_level.
[[nodiscard]] std::string_view to_string(bridge::Severity severity);

}  // namespace sluice::agent
