#include "storage/thinning.hpp"

#include "storage/key_table.hpp"

#include <algorithm>
#include <limits>
#include <string>

namespace sluice::storage {

namespace {

constexpr std::size_t kTableBytes = 2U << 20U;
constexpr auto kIntervalMax = std::chrono::hours(24);

class ThinningFilter final : public RecordFilter {
 public:
    ThinningFilter(const Log& log, std::chrono::milliseconds interval)
        : finished_(log.finished()), interval_(interval), seen_(kTableBytes) {}

    Verdict judge(const RecordView& record, const BatchHeader& /*batch*/) override {
        if (finished_ && record.offset < *finished_) {
            ++finished_left_out_;
            return Verdict::leave_out;
        }
        if (!record.key || !record.value) return Verdict::keep;
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
    const std::chrono::milliseconds interval_;
    KeyTable seen_;  // the last interval of each key
    std::int64_t finished_left_out_ = 0;
};

/// From the first segment that is to be thinned: as many as become one file of ordinary size at worst.
SegmentSet::Segments next_group(const Log& log, Offset from) {
    SegmentSet::Segments group;
    std::uint64_t bytes = 0;
    for (const auto& segment : log.cleanable()) {
        if (segment->base_offset() < from) continue;
        if (*segment->next_base() > log.hold_from()) break;
        bytes += segment->end_position().value();
        if (!group.empty() && bytes > log.options().segment_bytes) break;
        if (!group.empty() &&
            *segment->next_base() - group.front()->base_offset() > std::numeric_limits<std::int32_t>::max())
            break;
        group.push_back(segment);
    }
    return group;
}

std::string describe(std::chrono::milliseconds interval) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(interval).count()) + " s";
}

Offset first_not_finished(const Log& log) {
    const auto cursor = std::max(log.finished().value_or(Offset(0)), log.log_start_offset());
    return log.segments().find(cursor)->base_offset();
}

}  // namespace

Result<std::uint64_t> thin(FileSystem& files, Log& log, ThinningState& state, const Pace& pace) {
    // What was thinned is forwarded: this is another outage.
    const bool over = log.finished() && *log.finished() >= state.thinned_to;
    if (state.interval.count() == 0 || over) state = {log.options().thin_interval, first_not_finished(log), {}};
    while (state.interval <= kIntervalMax) {
        const auto group = next_group(log, std::max(state.done_to, first_not_finished(log)));
        if (group.empty()) {
            state = {state.interval * 2, first_not_finished(log), state.thinned_to};
            continue;
        }
        ThinningFilter filter(log, state.interval);
        const auto next = *group.back()->next_base();
        const auto rewritten =
            rewrite_segments(files, log, group, filter, pace, [&](const Rewritten& about_to) -> Result<void> {
                const auto lost = about_to.records_left_out - filter.finished_left_out();
                if (lost <= 0) return {};
                return log.give_up({log.name(), group.front()->base_offset(), next, lost,
                                    "no space: thinned to one record for each key and " + describe(state.interval)});
            });
        if (!rewritten) return rewritten.error();
        state.done_to = next;
        state.thinned_to = std::max(state.thinned_to, next);
        if (rewritten->bytes_after < rewritten->bytes_before) return rewritten->bytes_before - rewritten->bytes_after;
    }
    return std::uint64_t{0};
}

}  // namespace sluice::storage
