// stream_rows.hpp: the records of a scan one by one, as a cursor of a virtual table goes.
#pragma once

#include "agent/query/stream_scan.hpp"
#include "agent/sql/sql_context.hpp"
#include "storage/batch_walk.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice::agent::sql {

class StreamRows {
 public:
    /// @param count_only  the rows are counted and not looked at: record() must not be called
    StreamRows(SqlContext& context, StreamFiles stream, query::ScanRange range, bool count_only);
    ~StreamRows();
    StreamRows(const StreamRows&) = delete;
    StreamRows& operator=(const StreamRows&) = delete;

    /// Goes to the first record, then to the next one; at the end is_at_end(). Rows that the range leaves out may be
    /// among them, as StreamScan says, but none of another key.
    /// @return Errc::closed: the query has to end
    [[nodiscard]] storage::Result<void> next();
    [[nodiscard]] bool is_at_end() const { return at_end_; }
    [[nodiscard]] const storage::RecordView& record() const;
    /// Of the record. @return Errc::corrupt: they are malformed
    [[nodiscard]] storage::Result<std::span<const storage::HeaderView>> headers();

 private:
    struct Kept {
        storage::RecordView record;
        std::vector<storage::HeaderView> headers;
    };

    [[nodiscard]] storage::Result<bool> next_batch();
    [[nodiscard]] bool next_in_batch();
    [[nodiscard]] bool is_wanted(const storage::RecordView& record) const;
    void keep_batch();

    SqlContext& context_;
    const std::optional<std::string> key_;
    const bool descending_;
    const bool count_only_;
    query::StreamScan scan_;
    std::optional<query::StreamScan::Batch> batch_;
    storage::BatchWalk walk_;
    std::int64_t counted_left_ = 0;  // count only: rows of the batch that are still to come
    std::vector<Kept> kept_;         // descending: the records of the batch that are still to come, the last one first
    bool at_end_ = false;
};

}  // namespace sluice::agent::sql
