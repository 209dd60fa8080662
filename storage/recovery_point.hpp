// recovery_point.hpp: up to where a log was durable, and which offsets it may have used since.
//
// A lower bound that may be stale or missing: a log that ends before it has lost records, where one that ends after it
// may only have an unfinished write at its end. After a kill nobody knows how far a log went that has lost its end, so
// a bound is written ahead, in large steps: Kafka may have the records, and their offsets must not be given to others.
// File `recovery-point` (checked_file.hpp): an offset, and all of `log-id`, of which it is the second copy; while the
// log is written to, a line "writing SEGMENT BOUND" too. It is there from the log's first moment on, with offset 0, and
// moves when the log is opened, at its first append, with each new segment, and when it is closed. Kafka's is
// recovery-point-offset-checkpoint, for the same purpose.
#pragma once

#include "storage/batch_marks.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <algorithm>
#include <optional>
#include <string>

namespace sluice::storage {

struct RecoveryPoint {
    struct Writing {
        Offset segment;  ///< its base offset; it was there, so at least this one or a later one has to be
        Offset bound;    ///< no record has this offset or a later one
        friend bool operator==(const Writing&, const Writing&) = default;
    };
    Offset end;                      ///< what is before it was durable
    std::optional<Writing> writing;  ///< nullopt: no record was appended after `end`
    friend bool operator==(const RecoveryPoint&, const RecoveryPoint&) = default;

    /// Whether the segment that was written to is not there any more.
    [[nodiscard]] bool lacks_segment(Offset last_base) const { return writing && last_base < writing->segment; }
    /// Where a log goes on that has lost its end.
    [[nodiscard]] Offset bound() const { return writing ? std::max(end, writing->bound) : end; }
};

/// The copy of `log-id` that is there, where there is one.
[[nodiscard]] Result<std::optional<BatchMarks>> log_id_of_recovery_point(FileSystem& files,
                                                                         const std::string& directory);
/// @return offset 0 where none is stored for the log of this id
[[nodiscard]] Result<RecoveryPoint> load_recovery_point(FileSystem& files, const std::string& directory,
                                                        const LogId& id);
[[nodiscard]] Result<void> store_recovery_point(FileSystem& files, const std::string& directory,
                                                const BatchMarks& marks, const RecoveryPoint& point);

}  // namespace sluice::storage
