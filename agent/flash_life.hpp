// flash_life.hpp: how many days the flash will last, from what is written to it and what it says of itself.
//
// Formula: days left = endurance · (1 − worn) / bytes a day (docs/flash.md). The endurance is the configured one, or
// follows from what an NVMe device has counted in its life. Without either there is a rate, and no days.
#pragma once

#include "agent/block_device.hpp"
#include "bridge/report.hpp"
#include "storage/catalog.hpp"
#include "storage/clock.hpp"
#include "storage/types.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace sluice::agent {

/// What was written to a device since we know it. The kernel counts from the machine's start only.
struct FlashAccount {
    std::string boot_id;        ///< of the start of the machine in which `counter` was read
    std::uint64_t counter = 0;  ///< the kernel's, when last read
    std::uint64_t total = 0;    ///< bytes since `since`
    storage::Timestamp since{};

    [[nodiscard]] static std::optional<FlashAccount> parse(const std::string& text);
    [[nodiscard]] std::string to_text() const;
    /// The kernel's counter is now `now_counter`: what that adds. After a start of the machine all of it does.
    void count(const std::string& now_boot_id, std::uint64_t now_counter);
};

struct FlashLife {
    std::optional<double> bytes_per_day;  ///< nullopt: not known for long enough yet
    std::optional<MediumWear> wear;
    std::optional<double> days_left;
};

/// @param endurance  bytes that may be written to the new device
[[nodiscard]] FlashLife estimate_life(const FlashAccount& account, const std::optional<MediumWear>& wear,
                                      std::optional<std::uint64_t> endurance, storage::Timestamp now);
/// "3.1 GB a day to mmcblk0, which is 10 to 20 % worn: 2120 days left"
[[nodiscard]] std::string describe(const FlashLife& life, const std::string& disk);

/// Counts while the agent runs, and says how it stands: once a day, and as a warning in the last year.
class FlashWatch {
 public:
    FlashWatch(const std::string& data_dir, std::optional<std::uint64_t> endurance, storage::Catalog& catalog,
               const storage::Clock& clock, bridge::Report report);

    /// Called now and then, on one thread; does something once an hour.
    void tick();
    /// Thread-safe. nullopt: not known.
    [[nodiscard]] std::optional<double> days_left() const;
    /// Thread-safe. What was written to the device, by anyone, since midnight (UTC), or since the agent's start where
    /// that was later; up to a minute old. nullopt: the device doesn't count.
    [[nodiscard]] std::optional<std::uint64_t> bytes_today() const;

 private:
    void count();
    void count_today();

    std::optional<BlockDevice> device_;
    const std::optional<std::uint64_t> endurance_;
    storage::Catalog& catalog_;
    const storage::Clock& clock_;
    const bridge::Report report_;
    std::chrono::steady_clock::time_point next_count_{};
    std::chrono::steady_clock::time_point next_report_{};
    std::atomic<double> days_left_{-1};  // below 0: not known
    std::chrono::steady_clock::time_point next_today_{};
    std::optional<std::chrono::sys_days> today_;
    std::uint64_t counter_at_midnight_ = 0;
    std::atomic<std::int64_t> bytes_today_{-1};  // below 0: not known
};

}  // namespace sluice::agent
