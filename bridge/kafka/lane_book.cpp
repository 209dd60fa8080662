#include "bridge/kafka/lane_book.hpp"

#include "storage/assert.hpp"

namespace sluice::bridge::kafka {

void LaneBook::open(Offset from) {
    SLUICE_ASSERT(!is_open());
    newest_from_ = from;
}

void LaneBook::reopen(Offset newest, Offset from) {
    SLUICE_ASSERT(is_open() && *newest_from_ <= newest && newest <= from);
    if (newest > *newest_from_) sent_before_.push_back({*newest_from_, newest});
    newest_from_ = from;
}

void LaneBook::close() {
    newest_from_.reset();
    sent_before_.clear();
}

void LaneBook::restore(const Progress& progress) {
    close();
    if (progress.ahead.empty()) return;
    sent_before_ = progress.ahead;
    newest_from_ = sent_before_.back().first;
    sent_before_.pop_back();
}

Progress LaneBook::progress(Offset backlog, Offset newest) const {
    if (!is_open()) return {newest, {}};
    Progress progress{backlog, sent_before_};
    progress.ahead.push_back({*newest_from_, newest});
    // What the backlog's lane has reached the end of is finished up to where the newest lane has come.
    progress.normalize();
    return progress;
}

}  // namespace sluice::bridge::kafka
