#include "tests/chaos/log_model.hpp"

#include <algorithm>
#include <stdexcept>

namespace sluice::test {

namespace {

[[noreturn]] void wrong(const std::string& what) {
    throw std::runtime_error(what);
}

bool excuses(const storage::Gap& gap, const Allowance& allowance) {
    return allowance.damaged || gap.reason.find("damaged") == std::string::npos;
}

std::string at(std::int64_t offset) {
    return " at offset " + std::to_string(offset);
}

}  // namespace

bool LogModel::in_gap(std::int64_t offset, const Allowance& allowance) const {
    const auto holds = [&](const storage::Gap& gap) {
        return gap.first.value() <= offset && offset < gap.next.value() && excuses(gap, allowance);
    };
    return std::any_of(gaps_.begin(), gaps_.end(), holds) || std::any_of(untold_.begin(), untold_.end(), holds);
}

/// Each loss lies in a report, and the reports of a range count at least as many as are lost in it.
void LogModel::must_be_reported(const Losses& losses, const Allowance& allowance) const {
    auto reports = gaps_;
    reports.insert(reports.end(), untold_.begin(), untold_.end());
    std::erase_if(reports, [&](const auto& gap) { return gap.first >= gap.next || !excuses(gap, allowance); });
    std::sort(reports.begin(), reports.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    auto loss = losses.begin();
    for (auto report = reports.begin(); report != reports.end() && loss != losses.end();) {
        const auto first = report->first;
        auto next = report->next;
        std::int64_t told = 0;
        bool unknown = false;
        // Reports that overlap are looked at together: one range may have been thinned twice.
        for (; report != reports.end() && report->first < next; ++report) {
            next = std::max(next, report->next);
            told += report->count.value_or(0);
            unknown |= !report->count;
        }
        const auto end = std::lower_bound(loss, losses.end(), next.value());
        if (end - loss > told && !unknown) {
            wrong(std::to_string(end - loss) + " records are lost from offset " + std::to_string(first.value()) +
                  " on, and only " + std::to_string(told) + " were reported");
        }
        loss = end;
    }
}

bool LogModel::superseded(std::int64_t offset) const {
    const auto record = records_.find(offset);
    if (record == records_.end() || !record->second.key) return false;
    const auto latest = latest_.find(*record->second.key);
    return latest != latest_.end() && latest->second > offset;
}

bool LogModel::may_be_missing(const storage::Log& log, std::int64_t offset, const ModelRecord& record,
                              const Allowance& allowance, storage::Timestamp now) const {
    const bool finished = allowance.finished && offset < *allowance.finished;
    if (finished && (offset < log.log_start_offset().value() || allowance.power_may_lose)) return true;
    if (offset < log.log_start_offset().value() && !allowance.finished && log.options().removes())
        return true;                                                                       // retention
    if (finished && log.options().on_full == storage::OnFull::thin) return true;           // room was made
    if (finished && log.options().durability == storage::Durability::memory) return true;  // never written
    if (allowance.power_may_lose) return true;
    if (allowance.compacted) {
        if (superseded(offset)) return true;
        const bool old = now >= record.appended + log.options().delete_retention;
        if (record.key && !record.value && old && (!allowance.finished || finished)) return true;
    }
    return false;
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
    Losses losses;
    for (auto record = records_.begin(); record != records_.end();) {
        const auto offset = record->first;
        if (seen.contains(offset)) {
            record->second.accepted |= reopened;
            ++record;
            continue;
        }
        if (record->second.accepted && !may_be_missing(log, offset, record->second, allowance, now)) {
            if (!in_gap(offset, allowance)) {
                wrong("an accepted record is missing" + at(offset) + ", key " + record->second.key.value_or("(none)") +
                      (record->second.value ? "" : ", a tombstone") + " (log start " +
                      std::to_string(log.log_start_offset().value()) + ", end " +
                      std::to_string(log.log_end_offset().value()) + ")");
            }
            losses.push_back(offset);
        }
        const bool keep = record->second.accepted || !reopened;
        record = keep ? std::next(record) : records_.erase(record);
    }
    must_be_reported(losses, allowance);
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
