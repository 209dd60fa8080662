#include "agent/query/record_search.hpp"

#include "storage/log_reader.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace sluice::agent::query {

namespace {

using storage::Offset;
using storage::Result;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kRowBytesMax = 2U << 20U;  // of all rows together
constexpr std::int64_t kFirstStep = 256;
constexpr std::int64_t kStepMax = 65'536;
constexpr std::uint64_t kSparse = 1000;  // records in a step: of a compacted log the next may be longer than kStepMax

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool contains(std::optional<std::string_view> bytes, std::string_view lowered) {
    if (!bytes) return false;
    return std::search(bytes->begin(), bytes->end(), lowered.begin(), lowered.end(),
                       [](char a, char b) { return lower(a) == b; }) != bytes->end();
}

class Search {
 public:
    using Render = std::function<std::string(const storage::RecordView&)>;

    Search(const storage::Log& log, const RecordSearch& wanted, const Render& render)
        : log_(log), wanted_(wanted), render_(render), deadline_(SteadyClock::now() + wanted.time_max) {
        for (const char c : wanted.text) text_ += lower(c);
    }

    Result<FoundRecords> run() {
        auto first = end_of(wanted_.from, log_.log_start_offset());
        auto last = end_of(wanted_.to, log_.high_watermark());
        if (!first) return first.error();
        if (!last) return last.error();
        first_ = std::max(*first, log_.log_start_offset());
        last_ = std::min(*last, log_.high_watermark());
        if (auto done = wanted_.newest_first ? backwards() : forwards(); !done) return done.error();
        return std::move(found_);
    }

 private:
    enum class Ended { at_end, full, late };

    /// The offset that a bound names. A time that is included ends before the first record of a later one.
    [[nodiscard]] Result<Offset> end_of(const SearchBound& bound, Offset otherwise) const {
        if (bound.offset) return *bound.offset;
        if (!bound.time) return otherwise;
        const bool is_end = &bound == &wanted_.to;
        return log_.offset_for(is_end ? *bound.time + std::chrono::milliseconds(1) : *bound.time);
    }

    Result<void> forwards() {
        std::vector<std::string> rows;
        auto ended = read(first_, last_, rows, false);
        if (!ended) return ended.error();
        if (*ended != Ended::at_end) found_.next = reached_;
        found_.rows = std::move(rows);
        return {};
    }

    Result<void> backwards() {
        std::int64_t step = kFirstStep;
        for (auto end = last_; end > first_;) {
            const auto begin = Offset(std::max(first_.value(), end.value() - step));
            const auto before = found_.scanned;
            std::vector<std::string> rows;
            auto ended = read(begin, end, rows, true);
            if (!ended) return ended.error();
            if (*ended == Ended::late) {
                found_.next = end;
                return {};
            }
            if (take_newest(rows)) {
                if (oldest_ > first_) found_.next = oldest_;
                return {};
            }
            if (step < kStepMax || found_.scanned - before < kSparse) step *= 2;
            end = begin;
        }
        return {};
    }

    /// @return whether that is enough
    bool take_newest(std::vector<std::string>& rows) {
        for (std::size_t i = rows.size(); i > 0; --i) {
            bytes_ += rows[i - 1].size();
            found_.rows.push_back(std::move(rows[i - 1]));
            oldest_ = offsets_[i - 1];
            if (found_.rows.size() >= wanted_.limit || bytes_ >= kRowBytesMax) return true;
        }
        return false;
    }

    /// @param last_ones  all of the range is read, and of what is found the last is kept
    Result<Ended> read(Offset begin, Offset end, std::vector<std::string>& rows, bool last_ones) {
        storage::LogReader reader(log_, begin);
        offsets_.clear();
        storage::DecodedBatch memory;
        for (;;) {
            if (SteadyClock::now() > deadline_) {
                reached_ = reader.position();
                return Ended::late;
            }
            auto batch = reader.next(std::move(memory));
            if (!batch) return batch.error();
            if (!*batch) return Ended::at_end;
            for (const auto& record : (**batch).records()) {
                if (record.offset >= end) return Ended::at_end;
                ++found_.scanned;
                if (!is_wanted(record)) continue;
                rows.push_back(render_(record));
                offsets_.push_back(record.offset);
                if (last_ones) {
                    keep_last(rows);
                } else if (bytes_ += rows.back().size(); rows.size() >= wanted_.limit || bytes_ >= kRowBytesMax) {
                    reached_ = record.offset + 1;
                    return reached_ < end ? Ended::full : Ended::at_end;
                }
            }
            memory = std::move(**batch);
        }
    }

    void keep_last(std::vector<std::string>& rows) {
        if (rows.size() < 2 * wanted_.limit) return;
        const auto over = static_cast<std::ptrdiff_t>(rows.size() - wanted_.limit);
        rows.erase(rows.begin(), rows.begin() + over);
        offsets_.erase(offsets_.begin(), offsets_.begin() + over);
    }

    [[nodiscard]] bool is_wanted(const storage::RecordView& record) const {
        if (wanted_.from.time && record.timestamp < *wanted_.from.time) return false;
        if (wanted_.to.time && record.timestamp > *wanted_.to.time) return false;
        if (wanted_.key && record.key != std::string_view(*wanted_.key)) return false;
        return text_.empty() || contains(record.value, text_) || contains(record.key, text_);
    }

    const storage::Log& log_;
    const RecordSearch& wanted_;
    const Render& render_;
    const SteadyClock::time_point deadline_;
    std::string text_;  // in lower case
    Offset first_, last_, reached_, oldest_;
    std::vector<Offset> offsets_;  // of the rows of read()
    std::size_t bytes_ = 0;
    FoundRecords found_;
};

}  // namespace

storage::Result<FoundRecords> search_records(const storage::Log& log, const RecordSearch& wanted,
                                             const std::function<std::string(const storage::RecordView&)>& render) {
    return Search(log, wanted, render).run();
}

}  // namespace sluice::agent::query
