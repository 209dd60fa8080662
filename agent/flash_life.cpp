#include "agent/flash_life.hpp"

#include <cmath>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <utility>

namespace sluice::agent {

namespace {

using SteadyClock = std::chrono::steady_clock;
using Days = std::chrono::duration<double, std::ratio<86400>>;
using std::chrono_literals::operator""h;

constexpr auto kCountInterval = 1h;
constexpr auto kTodayInterval = std::chrono::minutes(1);
constexpr auto kReportInterval = 24h;
constexpr auto kKnownMin = 6h;  // a rate over less says little
constexpr double kWarnDays = 365;

std::string boot_id() {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string id;
    file >> id;
    return id;
}

std::optional<double> endurance_of(const std::optional<MediumWear>& wear, std::optional<std::uint64_t> configured) {
    if (configured) return static_cast<double>(*configured);
    // Below some percent the device's own figure is too coarse to multiply by.
    if (wear && wear->bytes_written && wear->percent_to >= 3) {
        return static_cast<double>(*wear->bytes_written) * 100 / wear->percent_to;
    }
    return std::nullopt;
}

}  // namespace

std::optional<FlashAccount> FlashAccount::parse(const std::string& text) {
    std::istringstream in(text);
    FlashAccount account;
    std::int64_t since = 0;
    if (!(in >> account.boot_id >> account.counter >> account.total >> since)) return std::nullopt;
    account.since = storage::Timestamp(std::chrono::milliseconds(since));
    return account;
}

std::string FlashAccount::to_text() const {
    return boot_id + " " + std::to_string(counter) + " " + std::to_string(total) + " " +
           std::to_string(since.time_since_epoch().count());
}

void FlashAccount::count(const std::string& now_boot_id, std::uint64_t now_counter) {
    const bool same = now_boot_id == boot_id && now_counter >= counter;
    total += same ? now_counter - counter : now_counter;
    boot_id = now_boot_id;
    counter = now_counter;
}

FlashLife estimate_life(const FlashAccount& account, const std::optional<MediumWear>& wear,
                        std::optional<std::uint64_t> endurance, storage::Timestamp now) {
    FlashLife life;
    life.wear = wear;
    const auto known = now - account.since;
    if (known < kKnownMin) return life;
    life.bytes_per_day = static_cast<double>(account.total) / Days(known).count();
    const auto bytes = endurance_of(wear, endurance);
    if (!bytes || *life.bytes_per_day <= 0) return life;
    const auto left = wear ? *bytes * (100 - wear->percent_to) / 100 : *bytes - static_cast<double>(account.total);
    life.days_left = std::max(0.0, left / *life.bytes_per_day);
    return life;
}

std::string describe(const FlashLife& life, const std::string& disk) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(1);
    if (life.bytes_per_day) {
        text << *life.bytes_per_day / 1e9 << " GB a day to " << disk;
    } else {
        text << disk << ": how much is written a day is not known yet";
    }
    if (life.wear && life.wear->percent_from != life.wear->percent_to) {
        text << ", which is " << life.wear->percent_from << " to " << life.wear->percent_to << " % worn";
    } else if (life.wear) {
        text << ", which is " << life.wear->percent_to << " % worn";
    }
    if (life.days_left) text << ": " << std::setprecision(0) << std::floor(*life.days_left) << " days left";
    return text.str();
}

FlashWatch::FlashWatch(const std::string& data_dir, std::optional<std::uint64_t> endurance, storage::Catalog& catalog,
                       const storage::Clock& clock, bridge::Report report)
    : endurance_(endurance), catalog_(catalog), clock_(clock), report_(std::move(report)) {
    if (auto device = BlockDevice::under(data_dir)) device_ = std::move(*device);
    next_report_ = SteadyClock::now() + kCountInterval;  // not at each start of an agent that restarts all the time
}

void FlashWatch::tick() {
    const auto now = SteadyClock::now();
    if (device_ && now >= next_today_) {
        next_today_ = now + kTodayInterval;
        count_today();
    }
    if (!device_ || now < next_count_) return;
    next_count_ = now + kCountInterval;
    count();
}

void FlashWatch::count() {
    const auto counter = device_->bytes_written();
    if (!counter) return;
    const auto name = "flash " + device_->disk();
    const auto stored = catalog_.note(name);
    auto account = stored && *stored ? FlashAccount::parse(**stored) : std::nullopt;
    const auto now = clock_.now();
    if (account && account->since <= now) {
        account->count(boot_id(), *counter);
    } else {
        account = FlashAccount{boot_id(), *counter, 0, now};
    }
    if (auto done = catalog_.store_note(name, account->to_text()); !done) {
        report_(bridge::Severity::warning, "flash", done.error().message());
    }
    const auto life = estimate_life(*account, device_->wear(), endurance_, now);
    days_left_ = life.days_left.value_or(-1);
    const auto steady = SteadyClock::now();
    if (steady < next_report_) return;
    next_report_ = steady + kReportInterval;
    const bool ending = life.days_left && *life.days_left < kWarnDays;
    report_(ending ? bridge::Severity::warning : bridge::Severity::info, "flash",
            describe(life, device_->disk()) + (ending ? " (docs/flash.md says how to write less)" : ""));
}

void FlashWatch::count_today() {
    const auto counter = device_->bytes_written();
    if (!counter) return;
    const auto day = std::chrono::floor<std::chrono::days>(clock_.now());
    if (today_ != day) {
        today_ = day;
        counter_at_midnight_ = *counter;
    }
    bytes_today_ = static_cast<std::int64_t>(*counter - std::min(counter_at_midnight_, *counter));
}

std::optional<std::uint64_t> FlashWatch::bytes_today() const {
    const auto bytes = bytes_today_.load();
    return bytes < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(bytes));
}

std::optional<double> FlashWatch::days_left() const {
    const double days = days_left_;
    return days < 0 ? std::nullopt : std::optional(days);
}

}  // namespace sluice::agent
