// report.hpp: how the bridge tells a person something, without knowing a logging library.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::bridge {

enum class Severity : std::uint8_t { debug, info, warning, error };

/// Called from any thread. `component` is who speaks ("mqtt broker.plant.local:8883", "kafka", "stream telemetry").
using Report = std::function<void(Severity, std::string_view component, const std::string& message)>;

/// Says a lasting trouble once and then at growing intervals, and its end once. One owner, one thread.
class TroubleReport {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;

    TroubleReport(Report report, std::string component,
                  std::chrono::milliseconds first_interval = std::chrono::minutes(1));

    /// Reports `message` if it is new, differs from the last one, or its interval (the first, doubling up to 1 h) is
    /// over.
    void trouble(const std::string& message, TimePoint now);
    /// Reports the last message again if its interval is over.
    void remind(TimePoint now);
    [[nodiscard]] bool is_reminder_due(TimePoint now) const { return since_ && now >= next_; }
    /// Reports `message` if there was trouble, and forgets it.
    void over(const std::string& message, TimePoint now);
    [[nodiscard]] bool in_trouble() const { return since_.has_value(); }
    /// What was said last.
    [[nodiscard]] const std::string& message() const { return last_message_; }

 private:
    Report report_;
    std::string component_;
    std::chrono::milliseconds first_interval_;
    std::string last_message_;
    std::optional<TimePoint> since_;
    TimePoint next_{};
    std::chrono::milliseconds interval_{};
};

}  // namespace sluice::bridge
