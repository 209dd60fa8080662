#include "storage/types.hpp"

#include <random>

namespace sluice::storage {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr bool dash_before(std::size_t byte) {
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

}  // namespace

std::int64_t timestamp_difference(Timestamp a, Timestamp b) {
    const auto bits = [](Timestamp t) { return static_cast<std::uint64_t>(t.time_since_epoch().count()); };
    return static_cast<std::int64_t>(bits(a) - bits(b));
}

LogId LogId::random() {
    LogId id;
    std::random_device device;
    for (auto& byte : id.bytes_) byte = static_cast<std::uint8_t>(device());
    id.bytes_[6] = static_cast<std::uint8_t>((id.bytes_[6] & 0x0fU) | 0x40U);  // RFC 4122 version 4, random
    id.bytes_[8] = static_cast<std::uint8_t>((id.bytes_[8] & 0x3fU) | 0x80U);  // variant 1
    return id;
}

void LogId::copy_to(std::span<std::byte, kBytes> bytes) const {
    for (std::size_t i = 0; i < kBytes; ++i) bytes[i] = static_cast<std::byte>(bytes_[i]);
}

std::string LogId::to_string() const {
    std::string text;
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
        if (dash_before(i)) text += '-';
        text += kHexDigits[bytes_[i] >> 4U];
        text += kHexDigits[bytes_[i] & 0x0fU];
    }
    return text;
}

std::optional<LogId> LogId::parse(std::string_view text) {
    LogId id;
    std::size_t at = 0;
    for (std::size_t i = 0; i < id.bytes_.size(); ++i) {
        if (dash_before(i) && (at >= text.size() || text[at++] != '-')) return std::nullopt;
        unsigned byte = 0;
        for (int digit = 0; digit < 2; ++digit, ++at) {
            const auto value = at < text.size() ? kHexDigits.find(text[at]) : std::string_view::npos;
            if (value == std::string_view::npos) return std::nullopt;
            byte = (byte << 4U) | static_cast<unsigned>(value);
        }
        id.bytes_[i] = static_cast<std::uint8_t>(byte);
    }
    return at == text.size() ? std::optional(id) : std::nullopt;
}

}  // namespace sluice::storage
