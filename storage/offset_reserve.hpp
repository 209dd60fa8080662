// offset_reserve.hpp: a bound of the offsets that a log may have used without writing them.
//
// A log with durability "memory" hands out offsets that never reach the disk. After a kill they must not be handed out
// again: Kafka may have them, and the position there counts past them. So a bound is written ahead, in large steps, and
// a log that was not closed goes on from the bound.
// File: `offset-reserve` in the log's directory (checked_file.hpp), the bound in decimal digits; absent after a clean
// stop. Where it is damaged, nobody knows which offsets were used, and what is there becomes another log.
#pragma once

#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <optional>
#include <string>

namespace sluice::storage {

class OffsetReserve {
 public:
    OffsetReserve(FileSystem& files, const std::string& directory) : files_(files), directory_(directory) {}

    /// The bound that a process which did not stop cleanly has left. @return Errc::corrupt where it can't be told
    [[nodiscard]] Result<std::optional<Offset>> left_behind() const;
    /// Returns once offsets below `end` may be used: durably.
    [[nodiscard]] Result<void> cover(Offset end);
    /// Everything below the log's end is written: the log itself tells where to go on.
    [[nodiscard]] Result<void> clear();

 private:
    FileSystem& files_;
    const std::string& directory_;
    std::optional<Offset> bound_;
};

}  // namespace sluice::storage
