// state.hpp: the state of a detector as bytes, the same on every machine, so that a restart goes on where it was.
//
// A detector lists its fields once, in `template <class Archive> void archive(Archive&)`; ByteWriter and ByteReader
// are the two archives. Numbers are little-endian, doubles as IEEE 754 bits.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace sluice::models {

class ByteWriter {
 public:
    template <class... Fields>
    void operator()(const Fields&... fields) {
        (put(fields), ...);
    }
    [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
    void put(double value) { put(std::bit_cast<std::uint64_t>(value)); }
    void put(float value) { put(std::bit_cast<std::uint32_t>(value)); }
    void put(char value) { bytes_.push_back(value); }
    template <std::unsigned_integral T>
    void put(T value) {
        for (std::size_t i = 0; i < sizeof(T); i++) bytes_.push_back(static_cast<char>((value >> (8 * i)) & 0xffU));
    }
    template <class Range>
    requires requires(const Range& range) { range.begin(); }
    void put(const Range& range) {
        for (const auto& item : range) put(item);
    }
    template <class Part>
    requires requires(Part& part, ByteWriter& writer) { part.archive(writer); }
    void put(const Part& part) {
        const_cast<Part&>(part).archive(*this);  // a writer only reads
    }

    std::string bytes_;
};

/// Reads what ByteWriter wrote. Bytes that are too few leave `good()` false and the rest of the fields as they were.
class ByteReader {
 public:
    explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

    template <class... Fields>
    void operator()(Fields&... fields) {
        (get(fields), ...);
    }
    /// All bytes were there, and none is left.
    [[nodiscard]] bool complete() const { return good_ && rest_.empty(); }
    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] std::size_t bytes_left() const { return rest_.size(); }

 private:
    void get(double& value) {
        auto bits = std::bit_cast<std::uint64_t>(value);
        get(bits);
        value = std::bit_cast<double>(bits);
    }
    void get(float& value) {
        auto bits = std::bit_cast<std::uint32_t>(value);
        get(bits);
        value = std::bit_cast<float>(bits);
    }
    void get(char& value) {
        auto byte = static_cast<std::uint8_t>(value);
        get(byte);
        value = static_cast<char>(byte);
    }
    template <std::unsigned_integral T>
    void get(T& value) {
        if (rest_.size() < sizeof(T)) {
            good_ = false;
            return;
        }
        std::uint64_t read = 0;
        for (std::size_t i = 0; i < sizeof(T); i++) {
            read |= std::uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
        }
        value = static_cast<T>(read);
        rest_.remove_prefix(sizeof(T));
    }
    template <class Range>
    requires requires(Range& range) { range.begin(); }
    void get(Range& range) {
        for (auto& item : range) get(item);
    }
    template <class Part>
    requires requires(Part& part, ByteReader& reader) { part.archive(reader); }
    void get(Part& part) { part.archive(*this); }

    std::string_view rest_;
    bool good_ = true;
};

}  // namespace sluice::models
