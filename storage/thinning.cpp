#include "storage/thinning.hpp"

#include "storage/key_table.hpp"

#include <algorithm>
#include <limits>
#include <string>

namespace sluice::storage {

namespace {

constexpr std::size_t kTableBytes = 2U << 20U;
constexpr auto kIntervalMax = std::chrono::hours(24);

/// One of the log's own notes, which may still be needed.
bool has_note(const RecordView& record) {
    return std::any_of(record.headers.begin(), record.headers.end(),
                       [](const auto& header) { return header.key.starts_with(kInternalHeaderPrefix); });
}

class ThinningFilter final : public RecordFilter {
 public:
    ThinningFilter(const Log& log, std::chrono::milliseconds interval, std::int64_t records)
        : finished_(log.finished()), held_from_(log.hold_from()), interval_(interval), seen_(kTableBytes, records) {}

    Verdict judge(const RecordView& record, const BatchHeader& /*batch*/) override {
        if (finished_ && record.offset < *finished_) {
            ++finished_left_out_;
            return Verdict::leave_out;
        }
        if (!record.key || !record.value) return Verdict::keep;
        if (record.offset >= held_from_ && has_note(record)) return Verdict::keep;
        const auto interval = static_cast<std::uint32_t>(
            static_cast<std::uint64_t>(record.timestamp.time_since_epoch() / interval_) % KeyTable::kValueMax);
        if (seen_.find(*record.key) == interval) return Verdict::leave_out;
        static_cast<void>(seen_.put(*record.key, interval));  // no room for more keys: those are not thinned
        return Verdict::keep;
    }
    [[nodiscard]] Timestamp delete_horizon() const override { return {}; }
    /// Of those left out, the ones that nobody needs any more.
    [[nodiscard]] std::int64_t finished_left_out() const { return finished_left_out_; }

 private:
    const std::optional<Offset> finished_;
    const Offset held_from_;
    const std::chrono::milliseconds interval_;
    KeyTable seen_;  // the last interval of each key
    std::int64_t finished_left_out_ = 0;
};

Offset first_not_finished(const Log& log) {
    const auto cursor = std::max(log.finished().value_or(Offset(0)), log.log_start_offset());
    return log.segments().find(cursor)->base_offset();
}

std::chrono::milliseconds interval_of(const ThinningState& state, const Segment& segment) {
    const auto found = state.find(segment.base_offset());
    return found == state.end() ? std::chrono::milliseconds(0) : found->second;
}

/// The oldest of the segments that are thinned least, and as many of its neighbours as become one file of ordinary size
/// at worst.
SegmentSet::Segments next_group(const Log& log, const ThinningState& state) {
    auto segments = log.cleanable();
    std::erase_if(segments, [from = first_not_finished(log)](const auto& each) { return each->base_offset() < from; });
    const auto least = std::min_element(segments.begin(), segments.end(), [&](const auto& a, const auto& b) {
        return interval_of(state, *a) < interval_of(state, *b);
    });
    SegmentSet::Segments group;
    std::uint64_t bytes = 0;
    for (auto segment = least; segment != segments.end(); ++segment) {
        bytes += (*segment)->end_position().value();
        if (!group.empty() &&
            (bytes > log.options().segment_bytes || interval_of(state, **segment) != interval_of(state, **least) ||
             *(*segment)->next_base() - group.front()->base_offset() > std::numeric_limits<std::int32_t>::max()))
            break;
        group.push_back(*segment);
    }
    return group;
}

std::string describe(std::chrono::milliseconds interval) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(interval).count()) + " s";
}

}  // namespace

Result<std::uint64_t> thin(FileSystem& files, Log& log, ThinningState& state, const Pace& pace) {
    // What was forwarded or deleted is no longer of interest: what comes now is another outage.
    state.erase(state.begin(), state.lower_bound(first_not_finished(log)));
    for (;;) {
        const auto group = next_group(log, state);
        if (group.empty()) return std::uint64_t{0};
        const auto before = interval_of(state, *group.front());
        const auto interval = before.count() == 0 ? log.options().thin_interval : before * 2;
        if (interval > kIntervalMax) return std::uint64_t{0};  // and so would be that of all others
        const auto next = *group.back()->next_base();
        ThinningFilter filter(log, interval, next - group.front()->base_offset());
        const auto rewritten =
            rewrite_segments(files, log, group, filter, pace, [&](const Rewritten& about_to) -> Result<void> {
                const auto lost = about_to.records_left_out - filter.finished_left_out();
                if (lost <= 0) return {};
                return log.give_up({log.name(), group.front()->base_offset(), next, lost,
                                    "no space: thinned to one record for each key and " + describe(interval)});
            });
        if (!rewritten) return rewritten.error();
        for (const auto& segment : group) state[segment->base_offset()] = interval;
        if (rewritten->bytes_after < rewritten->bytes_before) return rewritten->bytes_before - rewritten->bytes_after;
    }
}

}  // namespace sluice::storage
