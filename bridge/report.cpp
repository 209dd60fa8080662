#include "bridge/report.hpp"

#include <algorithm>
#include <utility>

namespace sluice::bridge {

namespace {

constexpr std::chrono::milliseconds kLastInterval = std::chrono::hours(1);

thread_local const ReportDetail* current_detail = nullptr;

}  // namespace

ReportDetail::ReportDetail(std::optional<std::int64_t> of, std::string_view why) : offset(of), cause(why) {
    current_detail = this;
}

ReportDetail::~ReportDetail() {
    current_detail = nullptr;
}

const ReportDetail* ReportDetail::current() {
    return current_detail;
}

TroubleReport::TroubleReport(Report report, std::string component, std::chrono::milliseconds first_interval)
    : report_(std::move(report)), component_(std::move(component)), first_interval_(first_interval) {}

void TroubleReport::trouble(const std::string& message, TimePoint now) {
    const bool news = !since_ || message != last_message_;
    if (!news && now < next_) return;
    if (!since_) since_ = now;
    interval_ = news ? first_interval_ : std::min(interval_ * 2, kLastInterval);
    next_ = now + interval_;
    last_message_ = message;
    const auto lasted = std::chrono::duration_cast<std::chrono::seconds>(now - *since_).count();
    report_(Severity::warning, component_, lasted > 0 ? message + " (for " + std::to_string(lasted) + " s)" : message);
}

void TroubleReport::remind(TimePoint now) {
    if (is_reminder_due(now)) trouble(std::string(last_message_), now);
}

void TroubleReport::over(const std::string& message, TimePoint now) {
    if (!since_) return;
    const auto lasted = std::chrono::duration_cast<std::chrono::seconds>(now - *since_).count();
    report_(Severity::info, component_, message + " (after " + std::to_string(lasted) + " s)");
    since_.reset();
    last_message_.clear();
}

}  // namespace sluice::bridge
