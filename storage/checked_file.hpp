// checked_file.hpp: a small text file that ends in a line with its checksum, so that a flipped bit is seen as damage
// and not taken for another value.
//
// Files of older versions have no such line, and are read as they are.
#pragma once

#include "storage/file_system.hpp"
#include "storage/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::storage {

struct CheckedText {
    std::string text;           ///< without the checksum's line
    bool has_checksum = false;  ///< … which was right; false: an older version wrote the file
};

/// @return Errc::not_found; Errc::corrupt where the checksum is wrong
[[nodiscard]] Result<CheckedText> load_checked(FileSystem& files, const std::string& path);
/// Durable on return, as replace_file(). @param text  whole lines
[[nodiscard]] Result<void> store_checked(FileSystem& files, const std::string& directory, const std::string& name,
                                         std::string_view text);

/// One line with a number that is not negative, and nothing else.
[[nodiscard]] std::optional<std::int64_t> parse_number_line(std::string_view text);

}  // namespace sluice::storage
