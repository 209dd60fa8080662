// log_model.hpp: what a log must hold, as a plain map; the simulation compares the real one with it.
#pragma once

#include "storage/gap.hpp"
#include "storage/log.hpp"
#include "storage/log_reader.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::test {

struct ModelRecord {
    std::optional<std::string> key;
    std::optional<std::string> value;
    storage::Timestamp timestamp{};
    storage::Timestamp appended{};  ///< by the gateway's clock
    bool accepted = false;
    friend bool same(const ModelRecord& a, const storage::RecordView& b) {
        return a.key == b.key && a.value == b.value && a.timestamp == b.timestamp;
    }
};

/// What may be missing, and why.
struct Allowance {
    bool compacted = false;                ///< records with a later one of their key, and old tombstones
    std::optional<std::int64_t> finished;  ///< segments below it may be deleted
    bool power_may_lose = false;           ///< durability "flush" or "memory", and the power went
    bool damaged = false;                  ///< bits were flipped; else a report of damage excuses nothing
};

class LogModel {
 public:
    void append(std::int64_t offset, ModelRecord record) {
        records_[offset] = std::move(record);
        end_ = offset + 1;
    }
    void accept_all() {
        for (auto& [offset, record] : records_) record.accepted = true;
        accepted_end_ = end_;
    }
    /// An append that failed as a whole: nobody was told anything.
    void forget_from(std::int64_t offset) {
        records_.erase(records_.lower_bound(offset), records_.end());
        end_ = offset;
    }

    void gap(const storage::Gap& gap) { (gap.told ? untold_ : gaps_).push_back(gap); }
    /// The reports so far are durable.
    void tell() {
        for (auto& gap : untold_) {
            gap.told();
            gaps_.push_back(std::move(gap));
        }
        untold_.clear();
    }
    /// The process ends: what it has not told yet, the next one has to tell.
    void forget_untold() { untold_.clear(); }
    [[nodiscard]] std::size_t gaps() const { return gaps_.size() + untold_.size(); }
    [[nodiscard]] std::int64_t accepted_end() const { return accepted_end_; }
    [[nodiscard]] const std::map<std::int64_t, ModelRecord>& records() const { return records_; }
    /// Whether there is a later record of the same key, as of the last check().
    [[nodiscard]] bool superseded(std::int64_t offset) const;

    /// Compares, and throws std::runtime_error saying what is wrong. Afterwards the model has what the log has.
    /// @param reopened  records that were never accepted may have vanished
    void check(const storage::Log& log, const Allowance& allowance, bool reopened, storage::Timestamp now);

 private:
    using Losses = std::vector<std::int64_t>;  // accepted, missing, and excused by reports only

    [[nodiscard]] bool in_gap(std::int64_t offset, const Allowance& allowance) const;
    void must_be_reported(const Losses& losses, const Allowance& allowance) const;
    /// @return false where only a report may excuse it
    [[nodiscard]] bool may_be_missing(const storage::Log& log, std::int64_t offset, const ModelRecord& record,
                                      const Allowance& allowance, storage::Timestamp now) const;

    std::map<std::int64_t, ModelRecord> records_;
    std::map<std::string, std::int64_t> latest_;  // offset of each key's last record
    std::vector<storage::Gap> gaps_;
    std::vector<storage::Gap> untold_;
    std::int64_t end_ = 0;
    std::int64_t accepted_end_ = 0;
};

}  // namespace sluice::test
