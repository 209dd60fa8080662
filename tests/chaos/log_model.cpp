#include "tests/chaos/log_model.hpp"

#include <algorithm>
#include <stdexcept>

namespace sluice::test {

namespace {

[[noreturn]] void wrong(const std::string& what) {
    throw std::runtime_error(what);
}

std::string at(std::int64_t offset) {
    return " at offset " + std::to_string(offset);
}

}  // namespace

bool LogModel::in_gap(std::int64_t offset) const {
    const auto holds = [&](const storage::Gap& gap) {
        return gap.first.value() <= offset && offset < gap.next.value();
    };
    return std::any_of(gaps_.begin(), gaps_.end(), holds) || std::any_of(untold_.begin(), untold_.end(), holds);
}

bool LogModel::superseded(std::int64_t offset) const {
    const auto record = records_.find(offset);
    if (record == records_.end() || !record->second.key) return false;
    const auto latest = latest_.find(*record->second.key);
    return latest != latest_.end() && latest->second > offset;
}

void LogModel::must_be_allowed(const storage::Log& log, std::int64_t offset, const ModelRecord& record,
                               const Allowance& allowance, storage::Timestamp now) const {
    if (in_gap(offset)) return;
    const bool finished = allowance.finished && offset < *allowance.finished;
    if (finished && (offset < log.log_start_offset().value() || allowance.power_may_lose)) return;
    if (offset < log.log_start_offset().value() && !allowance.finished && log.options().removes()) return;  // retention
    if (finished && log.options().on_full == storage::OnFull::thin) return;           // room was made
    if (finished && log.options().durability == storage::Durability::memory) return;  // never written
    if (allowance.power_may_lose) return;
    if (allowance.compacted) {
        if (superseded(offset)) return;
        const bool old = now - record.appended >= log.options().delete_retention;
        if (record.key && !record.value && old && (!allowance.finished || finished)) return;
    }
    wrong("an accepted record is missing" + at(offset) + ", key " + record.key.value_or("(none)") +
          (record.value ? "" : ", a tombstone") + " (log start " + std::to_string(log.log_start_offset().value()) +
          ", end " + std::to_string(log.log_end_offset().value()) + ")");
}

void LogModel::check(const storage::Log& log, const Allowance& allowance, bool reopened, storage::Timestamp now) {
    if (log.log_end_offset().value() < accepted_end_ && !allowance.power_may_lose) {
        wrong("the log ends at " + std::to_string(log.log_end_offset().value()) + ", before what was accepted, " +
              std::to_string(accepted_end_));
    }
    latest_.clear();
    for (const auto& [offset, record] : records_) {
        if (record.key) latest_[*record.key] = offset;
    }
    std::map<std::int64_t, bool> seen;
    storage::LogReader reader(log, storage::Offset(0));
    std::int64_t at_least = 0;
    for (;;) {
        auto batch = reader.next();
        if (!batch) wrong("can't be read: " + batch.error().message());
        if (!*batch) break;
        if ((*batch)->records().empty()) wrong("a batch without records was read");
        for (const auto& record : (*batch)->records()) {
            const auto offset = record.offset.value();
            if (offset < at_least) wrong("offsets go back" + at(offset));
            at_least = offset + 1;
            const auto expected = records_.find(offset);
            if (expected == records_.end()) wrong("a record that was never appended" + at(offset));
            if (!same(expected->second, record)) wrong("another record than was appended" + at(offset));
            seen[offset] = true;
        }
    }
    // Only what is there counts as later: a record that was appended, not accepted and lost supersedes nothing.
    latest_.clear();
    for (const auto& [offset, record] : records_) {
        if (record.key && (record.accepted || seen.contains(offset))) latest_[*record.key] = offset;
    }
    for (auto record = records_.begin(); record != records_.end();) {
        const auto offset = record->first;
        if (seen.contains(offset)) {
            record->second.accepted |= reopened;
            ++record;
            continue;
        }
        if (record->second.accepted) must_be_allowed(log, offset, record->second, allowance, now);
        const bool keep = record->second.accepted || !reopened;
        record = keep ? std::next(record) : records_.erase(record);
    }
    if (reopened) {
        end_ = accepted_end_ = std::max(log.log_end_offset().value(), std::int64_t{0});
        for (auto record = records_.begin(); record != records_.end();) {
            // Allowed to be missing, and so for good; but its key's place in the order is kept.
            const bool beyond = record->first >= end_;
            record = beyond && !seen.contains(record->first) ? records_.erase(record) : std::next(record);
        }
    }
}

}  // namespace sluice::test
