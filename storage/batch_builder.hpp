// batch_builder.hpp: gathers records as the body of one batch, encoded as they come.
//
// Why: a producer's thread does the encoding, and a record costs no allocation once the buffers have grown to the
// size of a commit. The base offset, codec, checksum and header are put on when the batch is finished.
// One thread at a time.
#pragma once

#include "storage/record.hpp"
#include "storage/record_batch.hpp"
#include "storage/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sluice::storage {

/// A finished batch; its bytes live where it was made.
struct EncodedBatch {
    BatchHeader header;
    std::span<const std::byte> bytes;
};

/// A batch without records, as Kafka's cleaner leaves them: it says that the offsets from `first` up to `next`, which
/// is later and at most 2^31 - 1 away, are gone, and that this is known (gapless_from.hpp).
struct EmptyBatch {
    BatchHeader header;
    std::array<std::byte, kBatchHeaderBytes> bytes;
};
[[nodiscard]] EmptyBatch empty_batch(Offset first, Offset next, const BatchMarks& marks);

/// Finishes an uncompressed batch that has its header: compresses it into `packed`, where that makes it smaller, and
/// puts the checksum on.
[[nodiscard]] Result<EncodedBatch> pack_batch(std::span<std::byte> batch, BatchHeader header, Compression compression,
                                              const BatchMarks& marks, std::vector<std::byte>& packed);

class BatchBuilder {
 public:
    /// Adds a record after those that are there, at the next offset.
    void add(const RecordView& record) { add_at(next_delta_, record); }
    void add(const Record& record);
    /// Adds a record whose offset is the batch's base offset + `offset_delta`, which rises from call to call. For the
    /// cleaner, which leaves holes.
    void add_at(std::int32_t offset_delta, const RecordView& record);

    /// Sets the delete horizon of the batch's tombstones (Kafka: attribute bit 6, kept as the base timestamp). Before
    /// the first add().
    void set_delete_horizon(Timestamp horizon);

    [[nodiscard]] bool empty() const { return record_count_ == 0; }
    [[nodiscard]] std::int32_t record_count() const { return record_count_; }
    /// The batch's bytes before compression.
    [[nodiscard]] std::size_t size_bytes() const { return used_; }

    /// Puts header, codec and checksum on. Where compressing doesn't make the batch smaller it is left uncompressed.
    /// @param last_delta  the last offset delta that the batch stands for, where it is beyond that of its last record
    /// @return Errc::invalid where the batch would be larger than kBatchBytesMax or kBatchRecordsMax; the builder is
    /// then as before.
    [[nodiscard]] Result<EncodedBatch> finish(Offset base_offset, Compression compression, const BatchMarks& marks,
                                              std::optional<std::int32_t> last_delta = std::nullopt);
    /// The batch of the last finish() as it was before compression. For readers in memory.
    [[nodiscard]] std::span<const std::byte> uncompressed() const { return std::span(buffer_).first(used_); }

    /// Empties it; the buffers keep their size, up to what an ordinary commit needs.
    void clear();

 private:
    template <class R>
    void put(std::int32_t offset_delta, const R& record);

    std::vector<std::byte> buffer_;  // room for the header, then the records
    std::vector<std::byte> packed_;  // room for the header, then the compressed records
    std::size_t used_ = kBatchHeaderBytes;
    std::int32_t record_count_ = 0;
    std::int32_t next_delta_ = 0;
    std::optional<Timestamp> base_timestamp_;
    Timestamp max_timestamp_{};
    std::uint16_t attributes_ = 0;
};

}  // namespace sluice::storage
