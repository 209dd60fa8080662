// batch_walk.hpp: the records of a batch one by one, without keeping them: for a reader that wants few of their fields.
//
// DecodedBatch parses every record and its headers before it shows one; a query that counts, or looks for one key among
// hundreds, spends most of its time there. One thread.
#pragma once

#include "storage/record.hpp"
#include "storage/record_batch.hpp"
#include "storage/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice::storage {

class BatchWalk {
 public:
    /// Begins before the first record of `batch`, whose checksum is the caller's to look at, and which must outlive the
    /// walk. Control batches have no records.
    /// @return Errc::corrupt: it can't be decompressed
    [[nodiscard]] Result<void> open(const BatchHeader& header, std::span<const std::byte> batch);

    /// Goes to the next record; false after the last one. @return Errc::corrupt: what follows is no record
    [[nodiscard]] Result<bool> next();
    /// The record that next() went to, without its headers; its bytes are valid until the next open().
    [[nodiscard]] const RecordView& record() const { return record_; }
    /// Its headers. @return Errc::corrupt: they are malformed
    [[nodiscard]] Result<std::span<const HeaderView>> headers();

 private:
    BatchHeader header_;
    std::vector<std::byte> unpacked_;
    std::span<const std::byte> rest_;
    std::int32_t left_ = 0;
    RecordView record_;
    std::span<const std::byte> header_bytes_;
    std::vector<HeaderView> headers_;
};

}  // namespace sluice::storage
