// rows.hpp: what a data directory's streams hold and how far their readers are, without an agent.
#pragma once

#include "agent/log/files.hpp"
#include "storage/catalog.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::agent {

/// A stream as its files show it.
struct LogRow {
    StreamFiles files;
    storage::Offset end;      ///< the offset after the last record
    std::uint64_t bytes = 0;  ///< of batches, without reserved space
    std::vector<storage::Cursor> cursors;

    [[nodiscard]] storage::Offset start() const {
        return files.segments.empty() ? storage::Offset(0) : files.segments.front();
    }
};

struct LogRows {
    std::vector<LogRow> rows;
    bool whole = true;  ///< false: streams that can't be read are left out
};

/// All streams, by name. What can't be read, a stream or the cursors, is said on stderr and left out.
[[nodiscard]] storage::Result<LogRows> read_log_rows(storage::FileSystem& files, const std::string& data_dir);

}  // namespace sluice::agent
