#include "agent/log_lines.hpp"

#include "agent/logging.hpp"
#include "agent/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace sluice::agent {

namespace {

constexpr std::string_view kStreamPrefix = "stream ";

std::string with_count(const LogEvent& event) {
    if (event.repeated == 0) return event.message;
    return event.message + " (" + std::to_string(event.repeated) + (event.repeated == 1 ? " time" : " times") +
           " more)";
}

/// As logfmt has it: bare where it can be, else in quotes with escapes.
std::string logfmt_value(std::string_view text) {
    const bool bare = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) > ' ' && c != '"' && c != '=' && c != '\\' && c != '\x7f';
    });
    if (bare) return std::string(text);
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return one_line(quoted + "\"");
}

/// RFC 5424, as the journal has it.
const char* priority_of(bridge::Severity severity) {
    switch (severity) {
        case bridge::Severity::debug:
            return "7";
        case bridge::Severity::info:
            return "6";
        case bridge::Severity::warning:
            return "4";
        case bridge::Severity::error:
            return "3";
    }
    return "3";
}

}  // namespace

std::string_view LogEvent::stream() const {
    const std::string_view all = component;
    return all.starts_with(kStreamPrefix) ? all.substr(kStreamPrefix.size()) : std::string_view();
}

std::string text_line(const LogEvent& event) {
    constexpr std::size_t kLevelWidth = 5;
    std::string level(to_string(event.severity));
    if (level.size() < kLevelWidth) level.resize(kLevelWidth, ' ');
    return format_time(event.time) + " " + level + " " + one_line(event.component) + ": " +
           one_line(with_count(event)) + "\n";
}

std::string logfmt_line(const LogEvent& event) {
    std::string line = "time=" + format_time(event.time) + " level=" + std::string(to_string(event.severity)) +
                       " component=" + logfmt_value(event.component);
    if (const auto stream = event.stream(); !stream.empty()) line += " stream=" + logfmt_value(stream);
    if (event.offset) line += " offset=" + std::to_string(*event.offset);
    if (!event.cause.empty()) line += " cause=" + logfmt_value(event.cause);
    if (event.repeated > 0) line += " repeated=" + std::to_string(event.repeated);
    return line + " msg=" + logfmt_value(event.message) + "\n";
}

std::string json_line(const LogEvent& event) {
    nlohmann::ordered_json line = {
        {"time", format_time(event.time)}, {"level", to_string(event.severity)}, {"component", event.component}};
    if (const auto stream = event.stream(); !stream.empty()) line["stream"] = stream;
    if (event.offset) line["offset"] = *event.offset;
    if (!event.cause.empty()) line["cause"] = event.cause;
    if (event.repeated > 0) line["repeated"] = event.repeated;
    line["message"] = event.message;
    // What is not UTF-8 is replaced: a log line must not fail for what a peer has sent.
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::vector<std::string> journal_fields(const LogEvent& event) {
    std::vector<std::string> fields = {"MESSAGE=" + event.component + ": " + with_count(event),
                                       std::string("PRIORITY=") + priority_of(event.severity),
                                       "SYSLOG_IDENTIFIER=sluice", "SLUICE_COMPONENT=" + event.component};
    if (const auto stream = event.stream(); !stream.empty()) fields.push_back("SLUICE_STREAM=" + std::string(stream));
    if (event.offset) fields.push_back("SLUICE_OFFSET=" + std::to_string(*event.offset));
    if (!event.cause.empty()) fields.push_back("SLUICE_CAUSE=" + event.cause);
    return fields;
}

bool Repeats::take(LogEvent& event, TimePoint now) {
    const std::pair key(event.component, event.message);
    const auto found = known_.find(key);
    if (found != known_.end() && now < found->second.until) {
        ++found->second.left_out;
        found->second.last = event;
        return false;
    }
    if (found != known_.end()) {
        event.repeated = found->second.left_out;
        found->second = {now + kWindow, 0, event};
        return true;
    }
    if (known_.size() >= kKnownMax) {  // the one that nobody waits for
        const auto oldest = std::min_element(known_.begin(), known_.end(), [](const auto& a, const auto& b) {
            return std::pair(a.second.left_out > 0, a.second.until) < std::pair(b.second.left_out > 0, b.second.until);
        });
        if (oldest->second.left_out > 0) return true;
        known_.erase(oldest);
    }
    known_.emplace(key, Known{now + kWindow, 0, event});
    return true;
}

std::vector<LogEvent> Repeats::due(TimePoint now) {
    std::vector<LogEvent> events;
    for (auto known = known_.begin(); known != known_.end();) {
        auto& [until, left_out, last] = known->second;
        if (now < until) {
            ++known;
            continue;
        }
        if (left_out == 0) {
            known = known_.erase(known);
            continue;
        }
        last.repeated = left_out - 1;  // it stands for one itself
        events.push_back(last);
        until = now + kWindow;
        left_out = 0;
        ++known;
    }
    return events;
}

}  // namespace sluice::agent
