// state.hpp: the bytes of a snapshot: what is written in order is read in order, with a version in front and a checksum
// at the end.
//
// Format, little-endian: "SLMS", u32 version, content, u64 checksum of all before it (padded with zeros to 8 bytes).
// A text is a u32 length and its bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::models {

/// Changes when the content, or the state of any function, is laid out anew. Another version isn't read: the rules
/// start with empty windows, or the agent replays the log.
inline constexpr std::uint32_t kStateVersion = 1;

class StateWriter {
 public:
    using Sink = std::function<void(std::span<const std::byte>)>;
    /// @param sink  gets the bytes in pieces of at most 64 KiB; what it throws passes through
    explicit StateWriter(Sink sink);

    void u32(std::uint32_t value);
    void i64(std::int64_t value);
    void u64(std::uint64_t value);
    void text(std::string_view value);
    void bytes(std::span<const std::byte> value);
    void finish();  ///< writes the checksum, and what is left to the sink

 private:
    void flush();
    Sink sink_;
    std::vector<std::byte> buffer_;
    std::uint64_t checksum_ = 0;
};

/// Reads what a StateWriter wrote. After something that can't be read, ok() is false and all that follows is 0 or
/// empty.
class StateReader {
 public:
    /// @param snapshot  whole, and there as long as the reader; the checksum is verified here
    explicit StateReader(std::span<const std::byte> snapshot);

    [[nodiscard]] bool ok() const { return fault_.empty(); }
    [[nodiscard]] const std::string& fault() const { return fault_; }  ///< why not
    [[nodiscard]] bool at_end() const { return at_ == content_.size(); }
    void fail(std::string why);

    std::uint32_t u32();
    std::int64_t i64();
    std::uint64_t u64();
    std::string_view text();
    std::span<const std::byte> bytes(std::size_t size);

 private:
    std::span<const std::byte> content_;
    std::size_t at_ = 0;
    std::string fault_;
};

}  // namespace sluice::models
