// config_text_file.hpp: reads a small text file: configuration, passwords.
#pragma once

#include "storage/result.hpp"

#include <cstddef>
#include <string>

namespace sluice::agent {

/// The whole of a file of at most `bytes_max` bytes. Pipes are read too, so that a shell can hand one over.
[[nodiscard]] storage::Result<std::string> read_text_file(const std::string& path, std::size_t bytes_max);

}  // namespace sluice::agent
