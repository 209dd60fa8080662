#include "storage/crc32c.hpp"

#include <isa-l/crc.h>

#include <algorithm>
#include <limits>

namespace sluice::storage {

std::uint32_t crc32c(std::span<const std::byte> bytes) {
    constexpr std::size_t kCallBytesMax = std::numeric_limits<int>::max();
    std::uint32_t state = 0xffffffffU;
    while (!bytes.empty()) {
        const auto part = bytes.first(std::min(bytes.size(), kCallBytesMax));
        // ISA-L takes a non-const pointer but only reads.
        auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(part.data()));
        state = crc32_iscsi(data, static_cast<int>(part.size()), state);
        bytes = bytes.subspan(part.size());
    }
    return ~state;
}

}  // namespace sluice::storage
