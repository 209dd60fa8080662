// quota.hpp: makes room on the disk when it is used up, giving up as little as the streams' settings allow.
//
// In this order, and only until there is room: spare files go; what was forwarded goes, of any stream; tables are
// compacted, whatever their min_dirty_ratio; then the streams give way by priority, the lowest first, each as its
// on_full says. Where what is left has to be written first and the disk is full to the last byte, a reserve is given
// for it (disk_reserve.hpp). No stream gives way to one of a lower priority. Damage that is met is set aside
// (quarantine.hpp). On the clean thread.
#pragma once

#include "storage/clock.hpp"
#include "storage/compaction.hpp"
#include "storage/disk_reserve.hpp"
#include "storage/log.hpp"
#include "storage/result.hpp"
#include "storage/segment_rewriter.hpp"
#include "storage/thinning.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sluice::storage {

class Quota {
 public:
    enum class Room {
        made,     ///< try again
        rolling,  ///< nothing closed was left to give up: segments are being closed, ask again then
        none,     ///< no stream may give way: acknowledgements have to wait
    };

    /// @param roll  closes the log's active segment, on the log thread, some time later
    Quota(FileSystem& files, const Clock& clock, std::function<void(Log&)> roll, std::string reserve_path);

    /// Takes back what a full disk has cost, where there is something that needs it.
    void keep_reserve(const std::vector<Log*>& logs);

    /// Makes some room, for `wanting` to append.
    /// @return as rewrite_segments(); Errc::corrupt and Errc::no_space where no other stream could make room either
    [[nodiscard]] Result<Room> make_room(std::vector<Log*> logs, const Log& wanting, const Pace& pace);

 private:
    [[nodiscard]] Result<Room> give_up(const std::vector<Log*>& logs, const Log& wanting, const Pace& pace);
    [[nodiscard]] static Result<bool> drop_spares(const std::vector<Log*>& logs);
    [[nodiscard]] Result<bool> delete_finished_of(const std::vector<Log*>& logs);
    [[nodiscard]] Result<bool> give_way(Log& log, const Pace& pace);
    [[nodiscard]] Result<bool> compact_whole(Log& log, const CompactionOptions& options, const Pace& pace);
    template <class Clean>
    [[nodiscard]] auto without_damage(Log& log, const Pace& pace, const Clean& clean) -> decltype(clean());
    [[nodiscard]] bool roll_some(const std::vector<Log*>& logs, const Log& wanting);

    FileSystem& files_;
    const Clock& clock_;
    const std::function<void(Log&)> roll_;
    DiskReserve reserve_;
    std::map<const Log*, ThinningState> thinning_;
};

}  // namespace sluice::storage
