// swap_check.hpp: whether the cleaner's result may take the place of the segments that it stands for.
//
// Why: from the moment that it has its name, the others may go. What a disk has made of it by the next start is looked
// at before they do: of two copies the one that holds more stays.
#pragma once

#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/segment.hpp"

#include <string>

namespace sluice::storage {

struct SwapCheck {
    /// What is wrong with the swap file; empty where each batch is intact, and they stand for all offsets of its range.
    std::string fault;
    /// It is not whole, and the segments that it stands for hold as many offsets or more: it is of no use.
    bool originals_stay = false;
};

/// Reads the whole file, and where it is not whole, the segments too.
/// @return Errc::not_found: there is no such file. Errc::io: it can't be read, and nothing is known.
[[nodiscard]] Result<SwapCheck> check_swap(FileSystem& files, const std::string& directory, OffsetRange range);

}  // namespace sluice::storage
