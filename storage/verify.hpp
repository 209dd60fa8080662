// verify.hpp: reads every byte of a log at rest and says what is wrong, and apart from that what only looks wrong;
// and puts right what can be put right.
#pragma once

#include "storage/file_system.hpp"
#include "storage/gap.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace sluice::storage {

/// The small files of a log that end in a checksum, and that it can do without.
inline constexpr std::array kSmallFiles = {"recovery-point", "gapless-from", "cleaner-offset", "offset-reserve"};

struct Finding {
    enum class Kind : std::uint8_t {
        fault,  ///< data is damaged, missing without a trace, or misleading
        note,   ///< what a crash, an earlier repair or the cleaner leaves behind; opening the log takes care of it
    };
    Kind kind = Kind::fault;
    std::string path;
    std::optional<FilePosition> at;
    std::string what;
};

struct Verified {
    std::uint64_t segments = 0;
    std::uint64_t batches = 0;
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    std::int64_t offsets_missing = 0;  ///< compacted, thinned, given up, or lost
    std::uint64_t faults = 0;
};

/// Changes nothing, needs no lock; a running agent may append and delete meanwhile.
[[nodiscard]] Result<Verified> verify_log(FileSystem& files, const std::string& directory,
                                          const std::function<void(const Finding&)>& on_finding);

/// What opening the log does, and more: completes an interrupted swap, cuts a torn tail, sets damaged bytes of any
/// segment aside, and writes indexes anew. Only with the lock held.
/// @param on_gap  told of each range of offsets that is lost for good
[[nodiscard]] Result<void> repair_log(FileSystem& files, const std::string& directory, const std::string& stream,
                                      const std::function<void(const Gap&)>& on_gap);

}  // namespace sluice::storage
