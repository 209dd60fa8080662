// open_logs.hpp: opens a data directory as a configuration says: lock, catalog, and the log of every stream.
#pragma once

#include "agent/config.hpp"
#include "storage/catalog.hpp"
#include "storage/clock.hpp"
#include "storage/file_system.hpp"
#include "storage/log_dir.hpp"
#include "storage/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sluice::agent {

/// A stream's directory in the data directory that the configuration does not name.
struct UnusedStream {
    std::string stream;
    std::string directory;
    std::uint64_t bytes = 0;
};
/// What is there of streams that are not configured: it stays, is not forwarded, and counts to no quota.
[[nodiscard]] storage::Result<std::vector<UnusedStream>> unused_streams(const Config& config,
                                                                        storage::FileSystem& files);
/// One line for people, and what to do.
[[nodiscard]] std::string to_string(const UnusedStream& unused);

struct OpenLogs {
    std::unique_ptr<storage::LogDir> logs;  ///< recovered; each forwarded stream knows its forwarder's cursor
    std::unique_ptr<storage::Catalog> catalog;
};

/// Nothing may be cleaned before the QoS 2 state has been read (bridge/mqtt/qos2_state.hpp): the logs are held whole.
[[nodiscard]] storage::Result<OpenLogs> open_logs(const Config& config, storage::FileSystem& files,
                                                  const storage::Clock& clock, const storage::GapReport& on_gap);

}  // namespace sluice::agent
