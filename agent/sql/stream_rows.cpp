#include "agent/sql/stream_rows.hpp"

#include <utility>

namespace sluice::agent::sql {

using storage::Errc;
using storage::Error;
using storage::Result;

StreamRows::StreamRows(SqlContext& context, StreamFiles stream, query::ScanRange range, bool count_only)
    : context_(context),
      key_(range.key),
      descending_(range.descending),
      count_only_(count_only),
      scan_(context.files, std::move(stream), std::move(range)) {}

StreamRows::~StreamRows() {
    const auto& cost = scan_.stats();
    context_.stats.segments += cost.segments;
    context_.stats.batches += cost.batches;
    context_.stats.bytes += cost.bytes;
    context_.stats.damaged += cost.damaged;
}

Result<void> StreamRows::next() {
    while (!next_in_batch()) {
        if (context_.is_due()) return Error(Errc::closed, "the query has to end");
        const auto more = next_batch();
        if (!more) return more.error();
        if (!*more) {
            at_end_ = true;
            return {};
        }
    }
    return {};
}

const storage::RecordView& StreamRows::record() const {
    return descending_ ? kept_.back().record : walk_.record();
}

Result<std::span<const storage::HeaderView>> StreamRows::headers() {
    if (!descending_) return walk_.headers();
    return std::span<const storage::HeaderView>(kept_.back().headers);
}

/// @return false at the end
Result<bool> StreamRows::next_batch() {
    const auto batch = scan_.next();
    if (!batch) return batch.error();
    batch_ = *batch;
    if (!batch_) return false;
    const bool whole = batch_->header.base_offset >= batch_->first && batch_->header.last_offset() <= batch_->last;
    if (count_only_ && whole) {
        counted_left_ = batch_->header.is_control() ? 0 : batch_->header.record_count;
        return true;
    }
    if (!walk_.open(batch_->header, batch_->bytes)) {
        ++context_.stats.damaged;
        return true;  // without records
    }
    if (descending_) keep_batch();
    return true;
}

bool StreamRows::is_wanted(const storage::RecordView& record) const {
    return record.offset >= batch_->first && record.offset <= batch_->last &&
           (!key_ || record.key == std::string_view(*key_));
}

bool StreamRows::next_in_batch() {
    if (counted_left_ > 0) {
        --counted_left_;
        return true;
    }
    if (descending_) {
        if (!kept_.empty()) kept_.pop_back();
        return !kept_.empty();
    }
    for (;;) {
        const auto more = walk_.next();
        if (!more) ++context_.stats.damaged;
        if (!more || !*more) return false;
        if (is_wanted(walk_.record())) return true;
    }
}

/// With one more behind the last one, which next_in_batch() takes away.
void StreamRows::keep_batch() {
    kept_.clear();
    for (;;) {
        const auto more = walk_.next();
        if (!more) ++context_.stats.damaged;
        if (!more || !*more) break;
        if (!is_wanted(walk_.record())) continue;
        Kept one{walk_.record(), {}};
        if (const auto headers = walk_.headers()) one.headers.assign(headers->begin(), headers->end());
        kept_.push_back(std::move(one));
    }
    kept_.emplace_back();
}

}  // namespace sluice::agent::sql
