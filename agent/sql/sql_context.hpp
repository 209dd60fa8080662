// sql_context.hpp: what the parts of one SQL connection share: where the log is, when the query has to end, what it
// cost.
#pragma once

#include "agent/query/stream_scan.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace sluice::agent::sql {

/// Where what is asked about is, and what else may be asked.
struct SqlSource {
    std::string data_dir;
    /// The devices, as GET /api/v1/devices has them (a JSON array). Empty, or Errc::not_found: what the directory knows
    std::function<storage::Result<std::string>()> devices;
    /// The end of what of a stream may be seen, e.g. its high watermark; nullopt: what is in its files.
    std::function<std::optional<storage::Offset>(const std::string& stream)> end_of;
};

struct SqlContext {
    storage::FileSystem& files;
    SqlSource source;

    // Of the query that runs.
    storage::Timestamp now;
    std::optional<std::chrono::steady_clock::time_point> deadline;
    std::atomic<bool> cancelled{false};  // any thread sets it
    query::ScanStats stats;              // of all its scans

    [[nodiscard]] bool is_due() const {
        return cancelled.load(std::memory_order_relaxed) || (deadline && std::chrono::steady_clock::now() >= *deadline);
    }
};

}  // namespace sluice::agent::sql
