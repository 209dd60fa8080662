// files.hpp: the local log as files, looked at from outside: no lock, no recovery, no change of anything.
//
// An agent may be running: the last segment grows and ends in space that it has reserved, segments are rolled and
// deleted while we look. So a file that is gone is skipped, and what is not complete at the end of the last segment
// is not damage.
#pragma once

#include "storage/batch_marks.hpp"
#include "storage/batch_scan.hpp"
#include "storage/file_system.hpp"
#include "storage/record_batch.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::agent {

struct StreamFiles {
    std::string stream;
    std::string directory;
    std::vector<storage::Offset> segments;  ///< base offsets, rising
    /// The cleaner's results that have not taken the place of the segments that they stand for: file names
    std::map<storage::Offset, std::string> swaps;
    std::vector<std::string> set_aside;    ///< files with damaged bytes that recovery took out of a segment
    std::vector<std::string> left_over;    ///< what a cleaner that was killed has left
    std::optional<storage::LogId> log_id;  ///< nullopt: missing or damaged
    /// How its batches are marked; of one without a log id, as another program leaves it, any batch is taken
    storage::BatchMarks marks = storage::BatchMarks::unknown();
    std::optional<storage::Offset> gapless_from;  ///< holes in the offsets from here on are losses; nullopt: none are

    std::optional<storage::Error> unreadable;  ///< why nothing is known of it

    [[nodiscard]] std::string segment_path(storage::Offset base_offset) const;
};

/// All streams, by name, or the one that is named.
/// One whose directory can't be read says so in `unreadable`.
/// @return Errc::not_found where there is no log, or not this stream
[[nodiscard]] storage::Result<std::vector<StreamFiles>> find_streams(storage::FileSystem& files,
                                                                     const std::string& data_dir,
                                                                     const std::string& only = {});

/// Where to walk a stream from for records with a timestamp of at least `timestamp`, as far as its time indexes know.
[[nodiscard]] storage::Result<storage::Offset> first_offset_since(storage::FileSystem& files, const StreamFiles& stream,
                                                                  storage::Timestamp timestamp);

/// The same, as far as that of one segment knows; nullopt: none of its records is so late.
/// @param base  one of stream.segments
/// @return Errc::not_found: the segment is gone
[[nodiscard]] storage::Result<std::optional<storage::Offset>> first_offset_in_segment(storage::FileSystem& files,
                                                                                      const StreamFiles& stream,
                                                                                      storage::Offset base,
                                                                                      storage::Timestamp timestamp);

/// The stream as it is now. @return Errc::not_found: it is gone
[[nodiscard]] storage::Result<StreamFiles> look_again(storage::FileSystem& files, const StreamFiles& stream);

/// Where to start in a segment for the record at `from`: a hint that was checked.
[[nodiscard]] storage::FilePosition start_in_segment(storage::FileSystem& files, const StreamFiles& stream,
                                                     const storage::File& segment, storage::Offset base,
                                                     storage::FilePosition end, storage::Offset from);

/// Whether the key index of a segment says that no record of it has the key.
[[nodiscard]] bool segment_lacks_key(storage::FileSystem& files, const StreamFiles& stream, storage::Offset base,
                                     const std::string& key);

/// Told of each intact batch; false ends the walk.
using OnBatch = std::function<bool(const storage::BatchHeader&, const std::vector<std::byte>&)>;
/// Told of bytes that are no batch, with batches after them.
using OnDamage = std::function<void(const std::string& path, storage::FilePosition from, storage::FilePosition to)>;

/// Told of offsets that no batch stands for.
using OnHole = std::function<void(storage::Offset first, storage::Offset next)>;

/// Walks the batches of a stream, in order, from the one that holds `from`.
/// @param key  segments that are known not to have it may be passed over
[[nodiscard]] storage::Result<void> walk_batches(storage::FileSystem& files, const StreamFiles& stream,
                                                 storage::Offset from, const std::optional<std::string>& key,
                                                 const OnBatch& on_batch, const OnDamage& on_damage,
                                                 const OnHole& on_hole);

}  // namespace sluice::agent
