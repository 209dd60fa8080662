// lane_book.hpp: order = "live_first": which lane sends which records, and what that makes of the stream's progress.
//
//   one lane ─ open(end of the log) ▶ two lanes ─ the backlog has reached the newest: close ▶ one lane
//                                       └─ reopen(end of the log) ▶ two lanes, further apart
// With two lanes the newest one sends from newest_from() on; the backlog's sends what is before that and was not sent
// by a newest lane before (sent_before()). Each goes upwards through the offsets and never back, save to send again
// what has failed: so a key keeps its order in either. One thread. No I/O: docs/decisions/live-first.md.
#pragma once

#include "bridge/kafka/progress.hpp"

namespace sluice::bridge::kafka {

class LaneBook {
 public:
    using Offset = storage::Offset;

    [[nodiscard]] bool is_open() const { return newest_from_.has_value(); }
    /// Where the backlog's lane ends, with two lanes.
    [[nodiscard]] Offset newest_from() const { return newest_from_.value(); }
    /// What the backlog's lane leaves out.
    [[nodiscard]] const std::vector<OffsetRange>& sent_before() const { return sent_before_; }

    /// The newest begin at `from`.
    void open(Offset from);
    /// As open(), with two lanes, when the newest one has finished all that it has sent, up to `newest`.
    void reopen(Offset newest, Offset from);
    /// The backlog has reached the newest.
    void close();
    /// Takes up where `progress` ended.
    void restore(const Progress& progress);

    /// @param backlog  up to where that lane has come
    /// @param newest   up to where that one has; the only one, with one lane
    [[nodiscard]] Progress progress(Offset backlog, Offset newest) const;

 private:
    std::optional<Offset> newest_from_;
    std::vector<OffsetRange> sent_before_;
};

}  // namespace sluice::bridge::kafka
