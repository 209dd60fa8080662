#include "bridge/kafka/transaction_size.hpp"

#include <algorithm>

namespace sluice::bridge::kafka {

namespace {

constexpr int kOverheadShare = 20;  // with a backlog, closing takes a twentieth of the time
constexpr int kGrowthMax = 8;       // from one transaction to the next, on a link that takes it with ease
constexpr int kTargetShare = 6;     // of the time-out: what a transaction may take, from its first record to its end

}  // namespace

TransactionSize::TransactionSize(TransactionOptions options, Duration timeout) : options_(options), timeout_(timeout) {
    bytes_max_ = std::min(bytes_max_, options_.bytes);
}

void TransactionSize::opened(TimePoint now) {
    opened_ = now;
    records_ = 0;
    bytes_ = 0;
}

void TransactionSize::sent(std::size_t records, std::size_t bytes) {
    records_ += records;
    bytes_ += bytes;
}

std::size_t TransactionSize::room() const {
    if (records_ >= options_.records || bytes_ >= bytes_max_) return 0;
    return bytes_max_ - bytes_;
}

TransactionSize::Duration TransactionSize::longest(bool more) const {
    if (!more) return options_.interval;
    return std::clamp<Duration>(overhead_ * kOverheadShare, options_.interval,
                                std::max<Duration>(timeout_ / kTargetShare, options_.interval));
}

bool TransactionSize::due(TimePoint now, bool more) const {
    if (records_ == 0) return false;
    return room() == 0 || now >= due_at(more);
}

TransactionSize::TimePoint TransactionSize::due_at(bool more) const {
    return opened_ + longest(more);
}

void TransactionSize::closing(TimePoint now) {
    closing_ = now;
}

void TransactionSize::committed(TimePoint now) {
    overhead_ = overhead_ == Duration() ? now - closing_ : (overhead_ * 3 + (now - closing_)) / 4;
    const auto target = timeout_ / kTargetShare;
    const auto took = now - opened_;
    if (took > target) {
        const auto ratio = static_cast<double>(target.count()) / static_cast<double>(took.count());
        bytes_max_ = static_cast<std::size_t>(static_cast<double>(bytes_) * ratio);
    } else if (took * 2 <= target && bytes_ >= bytes_max_ / 2) {
        const auto ease = target / std::max(took * kGrowthMax, Duration(1));
        const auto growth = static_cast<std::size_t>(std::clamp<Duration::rep>(ease, 2, kGrowthMax));
        bytes_max_ = std::min(bytes_max_, options_.bytes / growth) * growth;
    }
    bytes_max_ = std::clamp(bytes_max_, std::min(kLeastBytes, options_.bytes), options_.bytes);
}

void TransactionSize::aborted() {
    bytes_max_ = std::clamp(bytes_max_ / 2, std::min(kLeastBytes, options_.bytes), options_.bytes);
}

}  // namespace sluice::bridge::kafka
