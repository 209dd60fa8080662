// open_logs.hpp: opens a data directory as a configuration says: lock, catalog, and the log of every stream.
#pragma once

#include "agent/config.hpp"
#include "storage/catalog.hpp"
#include "storage/clock.hpp"
#include "storage/file_system.hpp"
#include "storage/log_dir.hpp"
#include "storage/result.hpp"

#include <memory>

namespace sluice::agent {

struct OpenLogs {
    std::unique_ptr<storage::LogDir> logs;  ///< recovered; each forwarded stream knows its forwarder's cursor
    std::unique_ptr<storage::Catalog> catalog;
};

/// Nothing may be cleaned before the QoS 2 state has been read (bridge/mqtt/qos2_state.hpp): the logs are held whole.
[[nodiscard]] storage::Result<OpenLogs> open_logs(const Config& config, storage::FileSystem& files,
                                                  const storage::Clock& clock, const storage::GapReport& on_gap);

}  // namespace sluice::agent
