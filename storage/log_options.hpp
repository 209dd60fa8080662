// log_options.hpp: how one stream's log behaves. docs/configuration says it to users.
#pragma once

#include "storage/record_batch.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sluice::storage {

enum class Durability : std::uint8_t {
    fsync,   ///< accepted = on the medium: survives the loss of power
    flush,   ///< accepted = in the page cache: survives the death of the process, not of the power
    memory,  ///< accepted = in memory; written only where the forwarder doesn't take it in time: spares the flash
};

enum class Cleanup : std::uint8_t {
    remove,              ///< old segments go ("delete")
    compact,             ///< the latest record of each key stays
    compact_and_remove,  ///< both
};

/// What happens to a stream when the disk's budget is used up and nothing that was forwarded is left to delete.
enum class OnFull : std::uint8_t {
    block,        ///< nothing is accepted: devices keep it
    drop_oldest,  ///< the oldest segment goes, forwarded or not
    drop_newest,  ///< what arrives is acknowledged and dropped
    compact,      ///< only the latest record of each key stays; then as block
    thin,         ///< one record for each key and interval stays; then as drop_oldest
};

struct LogOptions {
    Durability durability = Durability::fsync;
    Compression compression = Compression::lz4;
    std::uint64_t segment_bytes = 16U << 20U;                        ///< a segment is rolled before it outgrows this
    std::chrono::milliseconds segment_age = std::chrono::hours(24);  ///< or when its first batch is older

    Cleanup cleanup = Cleanup::remove;
    std::optional<std::chrono::milliseconds> retention;  ///< delete closed segments older than this …
    std::optional<std::uint64_t> retention_bytes;        ///< … or the oldest beyond this size
    bool hold_until_forwarded = true;                    ///< … but nothing that the forwarder has not finished

    double min_dirty_ratio = 0.5;                     ///< compact when this part of the log is not compacted yet
    std::chrono::milliseconds min_compaction_lag{0};  ///< leave segments alone that were written to since
    std::chrono::milliseconds delete_retention = std::chrono::hours(24);  ///< how long a tombstone stays

    OnFull on_full = OnFull::block;
    bool counts_to_quota = true;  ///< false: small, and needed when the disk is full
    int priority = 0;             ///< where space runs out, streams of a lower priority give way first
    std::chrono::milliseconds thin_interval = std::chrono::minutes(1);

    std::size_t tail_cache_bytes = 512U << 10U;  ///< the newest batches are kept in memory for readers
    // Durability "memory": what the forwarder has not finished is written when there is more of it than this, or when
    // it is older than this.
    std::size_t memory_bytes_max = 4U << 20U;
    std::chrono::milliseconds memory_age_max = std::chrono::seconds(30);

    [[nodiscard]] bool removes() const { return cleanup != Cleanup::compact; }
    [[nodiscard]] bool compacts() const { return cleanup != Cleanup::remove; }
};

}  // namespace sluice::storage
