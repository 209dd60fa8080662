// wire.hpp: takes the data types of MQTT off the front of bytes, and puts them at the end of others.
//
// Source: MQTT 5 section 1.5. Nothing is copied when reading: what is returned points into the bytes.
#pragma once

#include "bridge/mqtt/utf8.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::bridge::mqtt {

inline constexpr std::uint32_t kVariableIntegerMax = 268'435'455;

/// After the first field that is cut off or malformed ok() is false, and all further fields are empty.
class WireReader {
 public:
    explicit WireReader(std::string_view bytes) : bytes_(bytes) {}

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    [[nodiscard]] std::string_view rest() const { return bytes_; }

    std::string_view bytes(std::size_t size) {
        if (!ok_ || size > bytes_.size()) return fail();
        const auto taken = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        return taken;
    }
    std::uint8_t byte() { return static_cast<std::uint8_t>(integer(1)); }
    std::uint16_t two_bytes() { return static_cast<std::uint16_t>(integer(2)); }
    std::uint32_t four_bytes() { return integer(4); }

    /// Encoded in as few bytes as possible, and in four at most [MQTT-1.5.5-1].
    std::uint32_t variable_integer() {
        std::uint32_t value = 0;
        for (unsigned shift = 0; shift <= 21; shift += 7) {
            const auto next = byte();
            value |= (next & 0x7fU) << shift;
            if ((next & 0x80U) != 0) continue;
            if (next == 0 && shift > 0) fail();
            return ok_ ? value : 0;
        }
        fail();
        return 0;
    }
    std::string_view binary() { return bytes(two_bytes()); }
    std::string_view text() {
        const auto taken = binary();
        return is_mqtt_text(taken) ? taken : fail();
    }

 private:
    std::string_view fail() {
        ok_ = false;
        bytes_ = {};
        return {};
    }
    std::uint32_t integer(std::size_t size) {
        std::uint32_t value = 0;
        for (const char each : bytes(size)) value = (value << 8U) | static_cast<unsigned char>(each);
        return value;
    }

    std::string_view bytes_;
    bool ok_ = true;
};

/// Appends to `out`. Texts and binaries have at most 65,535 bytes: what is longer was never taken in.
class WireWriter {
 public:
    explicit WireWriter(std::string& out) : out_(out) {}

    void byte(unsigned value) { out_.push_back(static_cast<char>(value & 0xffU)); }
    void two_bytes(std::uint32_t value) {
        byte(value >> 8U);
        byte(value);
    }
    void four_bytes(std::uint32_t value) {
        two_bytes(value >> 16U);
        two_bytes(value);
    }
    void variable_integer(std::uint32_t value) {
        for (; value > 0x7f; value >>= 7U) byte((value & 0x7fU) | 0x80U);
        byte(value);
    }
    void bytes(std::string_view value) { out_.append(value); }
    void binary(std::string_view value) {
        two_bytes(static_cast<std::uint32_t>(value.size()));
        bytes(value);
    }

 private:
    std::string& out_;
};

/// How many bytes a variable byte integer takes.
[[nodiscard]] inline std::size_t variable_integer_size(std::uint32_t value) {
    return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20'0000 ? 3 : 4;
}

}  // namespace sluice::bridge::mqtt
