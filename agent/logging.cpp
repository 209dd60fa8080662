#include "agent/logging.hpp"

#include "agent/text.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace sluice::agent {

namespace {

spdlog::level::level_enum level_of(bridge::Severity severity) {
    switch (severity) {
        case bridge::Severity::debug:
            return spdlog::level::debug;
        case bridge::Severity::info:
            return spdlog::level::info;
        case bridge::Severity::warning:
            return spdlog::level::warn;
        case bridge::Severity::error:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

bridge::Severity severity_of(spdlog::level::level_enum level) {
    if (level <= spdlog::level::debug) return bridge::Severity::debug;
    if (level == spdlog::level::info) return bridge::Severity::info;
    return level == spdlog::level::warn ? bridge::Severity::warning : bridge::Severity::error;
}

std::string_view view(const spdlog::string_view_t& text) {
    return {text.data(), text.size()};
}

storage::Timestamp time_of(const spdlog::details::log_msg& message) {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(message.time);
}

std::string text_line(const spdlog::details::log_msg& message) {
    constexpr std::size_t kLevelWidth = 5;
    std::string level(to_string(severity_of(message.level)));
    if (level.size() < kLevelWidth) level.resize(kLevelWidth, ' ');
    return format_time(time_of(message)) + " " + level + " " + one_line(view(message.logger_name)) + ": " +
           one_line(view(message.payload)) + "\n";
}

std::string json_line(const spdlog::details::log_msg& message) {
    const nlohmann::ordered_json line = {{"time", format_time(time_of(message))},
                                         {"level", to_string(severity_of(message.level))},
                                         {"component", view(message.logger_name)},
                                         {"message", view(message.payload)}};
    // What is not UTF-8 is replaced: a log line must not fail for what a peer has sent.
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
    LineSink(LogFormat format, std::FILE* file) : format_(format), file_(file) {}

 protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        const auto line = format_ == LogFormat::json ? json_line(message) : text_line(message);
        static_cast<void>(std::fwrite(line.data(), 1, line.size(), file_));
        flush_();
    }
    void flush_() override { static_cast<void>(std::fflush(file_)); }

 private:
    const LogFormat format_;
    std::FILE* const file_;
};

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

bridge::Report make_report(bridge::Severity level, LogFormat format, std::FILE* file) {
    auto sink = std::make_shared<LineSink>(format, file);
    sink->set_level(level_of(level));
    return [sink](bridge::Severity severity, std::string_view component, const std::string& message) {
        const auto at = level_of(severity);
        if (!sink->should_log(at)) return;
        sink->log(spdlog::details::log_msg(spdlog::string_view_t(component.data(), component.size()), at,
                                           spdlog::string_view_t(message.data(), message.size())));
    };
}

}  // namespace sluice::agent
