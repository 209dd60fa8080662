#include "storage/read_ahead.hpp"

#include <algorithm>

namespace sluice::storage {

Result<std::span<const std::byte>> ReadAhead::at(const File& file, FilePosition position, std::size_t size,
                                                 FilePosition end) {
    size = at_most(size, end - position);
    const bool buffered =
        position >= begin_ && position - begin_ <= buffer_.size() && buffer_.size() - (position - begin_) >= size;
    if (!buffered) {
        buffer_.resize(at_most(std::max(size, piece_bytes_), end - position));
        const auto got = file.read_at(position, buffer_);
        if (!got) {
            buffer_.clear();
            return got.error();
        }
        buffer_.resize(*got);
        begin_ = position;
    }
    const auto rest = std::span<const std::byte>(buffer_).subspan(static_cast<std::size_t>(position - begin_));
    return rest.first(std::min(size, rest.size()));
}

}  // namespace sluice::storage
