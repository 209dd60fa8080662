// log_reader.hpp: reads a stream's records in offset order, from any offset up to the high watermark.
//
// One reader belongs to one thread; any number of readers may read one log while it is appended to and cleaned. A
// reader sees only what is accepted. Offsets may jump: over gaps, and over what the cleaner took away. What was just
// appended comes from memory, the rest from the segments' files, one of which is open at a time.
#pragma once

#include "storage/log.hpp"
#include "storage/read_ahead.hpp"
#include "storage/record_batch.hpp"
#include "storage/result.hpp"

#include <cstddef>
#include <memory>
#include <optional>

namespace sluice::storage {

class LogReader {
 public:
    static constexpr std::size_t kReadAheadBytes = 128U << 10U;

    /// Starts at `start`, or at the log start offset if that is later. `log` must outlive the reader.
    LogReader(const Log& log, Offset start, std::size_t read_ahead_bytes = kReadAheadBytes);

    /// The next batch of records whose offsets are at or after position(), or nullopt where the high watermark is
    /// reached. Records before position() in its first batch are left out. The batch owns its bytes. Damaged bytes
    /// are skipped and reported through the log's GapReport.
    /// @return an error only where the file can't be read; position() is then unchanged.
    /// @param memory  a batch that is no longer needed: what it has allocated is used again
    [[nodiscard]] Result<std::optional<DecodedBatch>> next(DecodedBatch memory = {});

    /// The offset that next() continues from.
    [[nodiscard]] Offset position() const { return position_; }
    void seek(Offset offset);

 private:
    [[nodiscard]] Result<std::optional<DecodedBatch>> take_from_memory(const TailCache::Bytes& batch, Offset limit);
    [[nodiscard]] Result<bool> open_segment();
    [[nodiscard]] Result<std::optional<DecodedBatch>> next_in_segment(Offset limit, DecodedBatch& memory);
    [[nodiscard]] bool go_past_segment(Offset limit);
    [[nodiscard]] Result<void> skip_damage(Offset limit);
    void leave_segment();

    const Log& log_;
    Offset position_;
    std::shared_ptr<const Segment> segment_;  // nullptr: to be looked up from position_
    std::unique_ptr<File> file_;
    FilePosition file_position_;
    ReadAhead ahead_;
};

}  // namespace sluice::storage
