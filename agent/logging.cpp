#include "agent/logging.hpp"

#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include <string>
#include <utility>
#include <vector>

namespace sluice::agent {

namespace {

bool send_to_journal(const LogEvent& event) {
    auto fields = journal_fields(event);
    std::vector<iovec> parts;
    parts.reserve(fields.size());
    for (auto& field : fields) parts.push_back({field.data(), field.size()});
    return ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

}  // namespace

std::string_view to_string(bridge::Severity severity) {
    switch (severity) {
        case bridge::Severity::debug:
            return "debug";
        case bridge::Severity::info:
            return "info";
        case bridge::Severity::warning:
            return "warning";
        case bridge::Severity::error:
            return "error";
    }
    return "error";
}

void Logger::report(bridge::Severity severity, std::string_view component, const std::string& message) {
    if (severity < level_.load(std::memory_order_relaxed)) return;
    LogEvent event;
    event.time = storage::SystemClock().now();
    event.severity = severity;
    event.component = component;
    event.message = message;
    if (const auto* detail = bridge::ReportDetail::current()) {
        event.offset = detail->offset;
        event.cause = detail->cause;
    }
    const std::lock_guard lock(mutex_);
    if (repeats_.take(event, std::chrono::steady_clock::now())) write(event);
}

void Logger::tick() {
    const std::lock_guard lock(mutex_);
    for (auto& event : repeats_.due(std::chrono::steady_clock::now())) {
        event.time = storage::SystemClock().now();
        write(event);
    }
}

void Logger::write(const LogEvent& event) {
    if (format_ == LogFormat::journald && send_to_journal(event)) return;
    std::string line;
    if (format_ == LogFormat::json)
        line = json_line(event);
    else if (format_ == LogFormat::logfmt)
        line = logfmt_line(event);
    else
        line = text_line(event);  // also where there is no journal
    static_cast<void>(std::fwrite(line.data(), 1, line.size(), file_));
    static_cast<void>(std::fflush(file_));
}

bridge::Report make_report(std::shared_ptr<Logger> logger) {
    return [logger = std::move(logger)](bridge::Severity severity, std::string_view component,
                                        const std::string& message) { logger->report(severity, component, message); };
}

bridge::Report make_report(bridge::Severity level, LogFormat format, std::FILE* file) {
    return make_report(std::make_shared<Logger>(level, format, file));
}

}  // namespace sluice::agent
