// gap_note.hpp: an empty file whose name says which offsets are lost, until the report of it is durable.
//
// Why: a loss is reported as a record of another log. Between the loss and the commit of that record the process may be
// killed; then the next start finds the note and reports the loss. It may be told twice so, and never not at all.
// Format: docs/log-format.md, section 1.
#pragma once

#include "storage/file_system.hpp"
#include "storage/gap.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::storage {

struct NotedGap {
    Offset first;
    Offset next;
    std::optional<std::int64_t> count;  ///< as Gap::count
    bool given_up = false;              ///< on purpose, or found missing; else a damaged batch was set aside
};

/// Of the note for a damaged batch: all offsets are lost.
[[nodiscard]] std::string gap_file_name(Offset first, Offset next);
[[nodiscard]] std::optional<NotedGap> parse_gap_file_name(std::string_view name);

/// Notes what is about to be given up; durable when it returns. Called again for the same gap it makes another note.
/// @return the path, to be removed once the report is durable
[[nodiscard]] Result<std::string> note_gap(FileSystem& files, const std::string& directory, const Gap& gap);

}  // namespace sluice::storage
