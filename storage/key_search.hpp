// key_search.hpp: the latest record of a key, as a table would have it.
#pragma once

#include "storage/log.hpp"
#include "storage/record.hpp"
#include "storage/result.hpp"

#include <optional>
#include <string_view>

namespace sluice::storage {

struct FoundRecord {
    Offset offset;
    Record record;  ///< a tombstone, where that is the latest
};

/// Looks from the newest segment to the oldest; passes over closed segments whose key index doesn't have the key.
/// Thread-safe; costs up to a scan of the segments without an index.
[[nodiscard]] Result<std::optional<FoundRecord>> find_latest(FileSystem& files, const Log& log, std::string_view key);

}  // namespace sluice::storage
