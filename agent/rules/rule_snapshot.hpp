// rule_snapshot.hpp: the state of a stream's rules in a file of its own: DATA_DIR/rules/STREAM.state.
//
// Why not in catalog.db: it may be 200 MB for ten thousand devices, and who writes so much into SQLite holds up the
// forwarder, which stores its cursors there. A snapshot is a shortcut: without it, rules start with empty windows where
// the alerts' log ends.
// The file has the rules too, as they were configured: what was evaluated after it is evaluated again by the same
// rules, whatever the configuration says now.
#pragma once

#include "models/rules/rule.hpp"
#include "models/state.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice::agent {

struct SnapshotHeader {
    std::string log_id;         ///< of the stream
    std::string alerts_log_id;  ///< of the alerts, …
    std::int64_t alerts_from;   ///< … in which what came after the snapshot begins here
    std::size_t devices_max;
    std::vector<models::rules::RuleSource> rules;
    struct From {
        std::string log_id;
        std::int64_t offset;
        bool operator==(const From&) const = default;
    };
    std::map<std::string, From> derived_from{};  ///< as alerts_log_id and alerts_from, by derived stream
    bool operator==(const SnapshotHeader&) const = default;
};

/// Replaces the stream's snapshot; durable on return.
/// @param save  writes the state behind the header
/// @return its size in bytes
[[nodiscard]] storage::Result<std::uint64_t> store_snapshot(storage::FileSystem& files, const std::string& data_dir,
                                                            const std::string& stream, const SnapshotHeader& header,
                                                            const std::function<void(models::StateWriter&)>& save);

class RuleSnapshot {
 public:
    /// @return nullptr where there is none; Errc::corrupt where it can't be used
    [[nodiscard]] static storage::Result<std::unique_ptr<RuleSnapshot>> load(const std::string& data_dir,
                                                                             const std::string& stream);
    ~RuleSnapshot();
    RuleSnapshot(const RuleSnapshot&) = delete;
    RuleSnapshot& operator=(const RuleSnapshot&) = delete;

    [[nodiscard]] const SnapshotHeader& header() const { return header_; }
    /// Behind the header. Once.
    [[nodiscard]] models::StateReader& state() { return *reader_; }
    [[nodiscard]] std::uint64_t size_bytes() const { return bytes_.size(); }

 private:
    RuleSnapshot() = default;
    std::span<const std::byte> bytes_;  // of the file, mapped: it needs no memory of its own
    std::optional<models::StateReader> reader_;
    SnapshotHeader header_{};
};

/// The streams that have a snapshot.
[[nodiscard]] std::vector<std::string> streams_with_snapshot(storage::FileSystem& files, const std::string& data_dir);
[[nodiscard]] storage::Result<void> remove_snapshot(storage::FileSystem& files, const std::string& data_dir,
                                                    const std::string& stream);

}  // namespace sluice::agent
