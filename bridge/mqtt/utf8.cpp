#include "bridge/mqtt/utf8.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sluice::bridge::mqtt {

namespace {

/// Eight bytes at once that are ASCII and not zero: what topics are made of.
bool is_plain(const char* at) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof(word));
    constexpr std::uint64_t kHigh = 0x8080808080808080ULL;
    constexpr std::uint64_t kLow = 0x0101010101010101ULL;
    return (word & kHigh) == 0 && ((word - kLow) & ~word & kHigh) == 0;
}

/// The bytes of the sequence that starts with `lead`, and what its second byte may be; 0 for a byte that starts none.
struct Sequence {
    std::size_t size;
    unsigned char second_min;
    unsigned char second_max;
};

Sequence sequence_of(unsigned char lead) {
    if (lead < 0xc2) return {0, 0, 0};
    if (lead < 0xe0) return {2, 0x80, 0xbf};
    if (lead == 0xe0) return {3, 0xa0, 0xbf};  // less would be overlong
    if (lead == 0xed) return {3, 0x80, 0x9f};  // more would be a surrogate
    if (lead < 0xf0) return {3, 0x80, 0xbf};
    if (lead == 0xf0) return {4, 0x90, 0xbf};  // less would be overlong
    if (lead < 0xf4) return {4, 0x80, 0xbf};
    if (lead == 0xf4) return {4, 0x80, 0x8f};  // more would be above U+10FFFF
    return {0, 0, 0};
}

}  // namespace

bool is_mqtt_text(std::string_view bytes) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
    for (std::size_t at = 0; at < bytes.size();) {
        if (bytes.size() - at >= sizeof(std::uint64_t) && is_plain(bytes.data() + at)) {
            at += sizeof(std::uint64_t);
            continue;
        }
        if (byte(at) == 0) return false;
        if (byte(at) < 0x80) {
            ++at;
            continue;
        }
        const auto sequence = sequence_of(byte(at));
        if (sequence.size == 0 || sequence.size > bytes.size() - at) return false;
        if (byte(at + 1) < sequence.second_min || byte(at + 1) > sequence.second_max) return false;
        for (std::size_t i = 2; i < sequence.size; ++i) {
            if ((byte(at + i) & 0xc0U) != 0x80U) return false;
        }
        at += sequence.size;
    }
    return true;
}

}  // namespace sluice::bridge::mqtt
