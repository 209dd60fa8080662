// stream_scan.hpp: the batches of a stream that a query may need, pulled one by one, with or without a running agent.
//
// Passes over what the log's indexes prove to be of no use: segments and batches outside of the offsets, those in which
// no record is as late as asked for, and segments without the key. What is left has to be looked at record by record:
// device clocks jump. Never writes, and takes no lock; a file that is deleted or replaced meanwhile is looked for
// again. An agent may be writing: what is not complete at the end of the last segment is not there yet. One thread;
// batches may be walked backwards, for "the last ten".
#pragma once

#include "agent/log/files.hpp"
#include "storage/file_system.hpp"
#include "storage/read_ahead.hpp"
#include "storage/record_batch.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice::agent::query {

/// Which records are wanted; both ends are included.
struct ScanRange {
    storage::Offset first{0};
    storage::Offset last{std::numeric_limits<std::int64_t>::max() - 1};
    std::optional<storage::Timestamp> since;  ///< only a hint: batches with older records are among what comes
    std::optional<std::string> key;           ///< likewise
    bool descending = false;                  ///< the last batch first; within a batch it is the caller's to turn round
};

/// What a scan has cost so far.
struct ScanStats {
    std::uint64_t segments = 0;  ///< opened
    std::uint64_t batches = 0;   ///< given out
    std::uint64_t bytes = 0;     ///< of batches whose checksum was looked at
    std::uint64_t damaged = 0;   ///< places where bytes are no batch, and were passed over
};

class StreamScan {
 public:
    /// @param files   outlives the scan
    /// @param stream  as find_streams() has it
    StreamScan(storage::FileSystem& files, StreamFiles stream, ScanRange range);

    struct Batch {
        storage::BatchHeader header;
        std::span<const std::byte> bytes;  ///< intact; valid until the next call of next()
        storage::Offset first;             ///< records outside of these two were given already, or are not wanted
        storage::Offset last;
    };
    /// nullopt at the end. @return an error only where a file can't be read
    [[nodiscard]] storage::Result<std::optional<Batch>> next();

    [[nodiscard]] const ScanStats& stats() const { return stats_; }

 private:
    struct Place {
        storage::FilePosition position;
        std::uint32_t size_bytes;
    };

    [[nodiscard]] storage::Result<bool> open_segment();
    [[nodiscard]] storage::Result<bool> open_file(storage::Offset base, storage::Offset from);
    [[nodiscard]] std::optional<storage::Offset> next_base() const;
    void pass(storage::Offset base);
    [[nodiscard]] storage::Result<std::optional<Batch>> next_in_file();
    [[nodiscard]] storage::Result<std::optional<Batch>> take();
    [[nodiscard]] storage::Result<void> skip_damage();
    [[nodiscard]] storage::Result<void> note_places();
    [[nodiscard]] storage::Result<std::optional<Batch>> take_back();
    [[nodiscard]] bool is_useful(const storage::BatchHeader& header) const;

    storage::FileSystem& files_;
    StreamFiles stream_;  // as it was when it was looked at last
    const ScanRange range_;
    storage::Offset first_, last_;  // what is still to be given

    std::unique_ptr<storage::File> file_;  // nullptr: the next segment is to be opened
    storage::Offset base_;                 // of its segment
    std::optional<storage::Offset> passed_;
    storage::FilePosition at_, end_;
    storage::Offset at_least_;  // a batch at at_ begins there, or later
    storage::ReadAhead ahead_;
    std::vector<Place> places_;  // descending: the batches of the file that were not given yet
    std::vector<std::byte> bytes_;
    ScanStats stats_;
};

}  // namespace sluice::agent::query
