// read_ahead.hpp: reads a file forwards in large pieces.
#pragma once

#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace sluice::storage {

class ReadAhead {
 public:
    /// @param piece_bytes  how much is read at a time, at least
    explicit ReadAhead(std::size_t piece_bytes) : piece_bytes_(piece_bytes) {}

    /// The `size` bytes at `position`, or those of them before `end`; valid until the next call.
    [[nodiscard]] Result<std::span<const std::byte>> at(const File& file, FilePosition position, std::size_t size,
                                                        FilePosition end);
    /// The file is another one, or has changed.
    void forget() { buffer_.clear(); }

 private:
    const std::size_t piece_bytes_;
    std::vector<std::byte> buffer_;  // of the file, from begin_
    FilePosition begin_;
};

}  // namespace sluice::storage
