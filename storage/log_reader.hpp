// log_reader.hpp: reads a stream's records in offset order, from any offset up to the high watermark.
//
// One reader belongs to one thread; any number of readers may read one log while it is appended to. A reader sees
// only what is durable. Offsets may jump: over gaps, and over what the cleaner took away.
#pragma once

#include "storage/log.hpp"
#include "storage/record_batch.hpp"
#include "storage/result.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace sluice::storage {

class LogReader {
 public:
    /// Starts at `start`, or at the log start offset if that is later. `log` must outlive the reader.
    LogReader(const Log& log, Offset start);

    /// The next batch of records whose offsets are at or after position(), or nullopt where the high watermark is
    /// reached. Records before position() in its first batch are left out. The batch owns its bytes. Damaged bytes
    /// are skipped and reported through the log's GapReport.
    /// @return an error only where the file can't be read; position() is then unchanged.
    [[nodiscard]] Result<std::optional<DecodedBatch>> next();

    /// The offset that next() continues from.
    [[nodiscard]] Offset position() const { return position_; }
    void seek(Offset offset);

 private:
    [[nodiscard]] Result<std::optional<DecodedBatch>> next_in_segment(Offset limit);
    [[nodiscard]] Result<void> skip_damage(Offset limit);
    [[nodiscard]] Result<std::span<const std::byte>> bytes_at(FilePosition position, std::size_t size);

    const Log& log_;
    Offset position_;
    std::shared_ptr<const Segment> segment_;  // nullptr: to be looked up from position_
    FilePosition file_position_;
    std::vector<std::byte> buffer_;  // bytes of segment_ from buffer_position_, all below its end then
    FilePosition buffer_position_;
};

}  // namespace sluice::storage
