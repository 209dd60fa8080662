// types.hpp: quantities that must not be mixed up, each its own type.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice::storage {

/// The number of a record in a stream. Only a difference of two is a plain number.
class Offset {
 public:
    constexpr Offset() = default;
    explicit constexpr Offset(std::int64_t value) : value_(value) {}
    [[nodiscard]] constexpr std::int64_t value() const { return value_; }
    friend constexpr auto operator<=>(Offset, Offset) = default;  // NOLINT(modernize-use-nullptr)
    friend constexpr Offset operator+(Offset a, std::int64_t n) { return Offset(a.value_ + n); }
    friend constexpr std::int64_t operator-(Offset a, Offset b) { return a.value_ - b.value_; }

 private:
    std::int64_t value_ = 0;
};

/// Bytes from the start of a segment file.
class FilePosition {
 public:
    constexpr FilePosition() = default;
    explicit constexpr FilePosition(std::uint64_t value) : value_(value) {}
    [[nodiscard]] constexpr std::uint64_t value() const { return value_; }
    friend constexpr auto operator<=>(FilePosition, FilePosition) = default;  // NOLINT(modernize-use-nullptr)
    friend constexpr FilePosition operator+(FilePosition a, std::uint64_t n) { return FilePosition(a.value_ + n); }
    friend constexpr std::uint64_t operator-(FilePosition a, FilePosition b) { return a.value_ - b.value_; }

 private:
    std::uint64_t value_ = 0;
};

/// At most `size` of the `left` bytes of a file, which on a 32-bit machine may be more than a size can say.
[[nodiscard]] constexpr std::size_t at_most(std::size_t size, std::uint64_t left) {
    return left < size ? static_cast<std::size_t>(left) : size;
}

/// Milliseconds since 1970-01-01T00:00:00Z, Kafka's record timestamp.
using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

/// a - b in milliseconds, wrapping instead of overflowing: a device may claim any time.
[[nodiscard]] std::int64_t timestamp_difference(Timestamp a, Timestamp b);

/// Names one life of a stream's log: made when the log is created, never reused. An offset means something only
/// together with it.
class LogId {
 public:
    static constexpr std::size_t kBytes = 16;

    static LogId random();
    static std::optional<LogId> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;  ///< UUID, 8-4-4-4-12 lower-case hexadecimal digits
    void copy_to(std::span<std::byte, kBytes> bytes) const;
    friend bool operator==(const LogId&, const LogId&) = default;

 private:
    std::array<std::uint8_t, kBytes> bytes_{};
};

}  // namespace sluice::storage
