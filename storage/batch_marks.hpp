// batch_marks.hpp: tells the batches that a log wrote from bytes that only look like a batch.
//
// Why: devices choose their payloads, and a payload can be a whole record batch. After a kill the last segment may end
// in what a deleted segment has left in its file (spare_segment.hpp); and behind damage a batch is searched for
// anywhere. The mark of a batch is a hash of its base offset and the log id, which no device knows. It is stored where
// the checksum covers it, so it guards the base offset too, which the checksum leaves out. Format: docs/log-format.md,
// section 2. Choice: docs/decisions/batch-marks.md.
#pragma once

#include "storage/result.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice::storage {

/// The greatest offset. Older versions have repeated it in the 46 bits of the mark.
inline constexpr std::int64_t kOffsetMax = (std::int64_t{1} << 46U) - 1;

/// Two fields of a batch's header that mean nothing to Kafka where there is no producer id.
struct BatchMark {
    std::int16_t producer_epoch = 0;
    std::int32_t base_sequence = 0;
    friend bool operator==(const BatchMark&, const BatchMark&) = default;
};

class BatchMarks {
 public:
    /// Of no log: the mark is the base offset itself, as older versions wrote it; and batches of other programs, which
    /// have none, are taken.
    BatchMarks() = default;
    /// Of a log that has nothing yet: all its batches will have its marks.
    explicit BatchMarks(const LogId& id) : id_(id), from_(0) {}
    /// Where the log id is lost: batches with any mark are taken.
    static BatchMarks unknown();
    /// Of a log that has batches with the marks of an id that is lost.
    static BatchMarks after_lost_id(const LogId& id);

    /// The lines of `log-id`: the id, and from which offset on all batches have its mark. Without the second line it
    /// was written by an older version.
    [[nodiscard]] static std::optional<BatchMarks> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;

    [[nodiscard]] const LogId& id() const { return id_; }
    /// From here on a batch without the log's mark is none.
    [[nodiscard]] Offset from() const { return from_; }
    void set_from(Offset from) { from_ = from; }

    [[nodiscard]] BatchMark of(Offset base_offset) const;
    /// @param has_producer  the mark's fields belong to a producer id: another program wrote the batch
    [[nodiscard]] bool fit(Offset base_offset, BatchMark mark, bool has_producer) const;

 private:
    LogId id_{};
    Offset from_{kOffsetMax + 1};
    bool any_before_ = false;  // before from_, any mark is taken
};

}  // namespace sluice::storage
