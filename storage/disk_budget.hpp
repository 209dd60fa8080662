// disk_budget.hpp: how much of the disk the logs may take, all together.
//
// Counted in bytes of segment files as they are preallocated, and of the index files of closed segments. The active
// segment's indexes (some thousandths of it), the small files and the catalog are not counted.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

namespace sluice::storage {

class DiskBudget {
 public:
    static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

    explicit DiskBudget(std::uint64_t limit_bytes = kUnlimited) : limit_(limit_bytes) {}

    /// Takes `bytes` where they are left. @return false: nothing was taken
    [[nodiscard]] bool take(std::uint64_t bytes) {
        auto used = used_.load();
        while (bytes <= limit_ && used <= limit_ - bytes) {
            if (used_.compare_exchange_weak(used, used + bytes)) return true;
        }
        return false;
    }
    /// Takes what is on the disk already, even beyond the limit.
    void take_all_the_same(std::uint64_t bytes) { used_ += bytes; }
    void give_back(std::uint64_t bytes) { used_ -= bytes; }

    [[nodiscard]] std::uint64_t used_bytes() const { return used_; }
    [[nodiscard]] std::uint64_t limit_bytes() const { return limit_; }

 private:
    const std::uint64_t limit_;
    std::atomic<std::uint64_t> used_{0};
};

}  // namespace sluice::storage
