#include "models/state.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace sluice::models {

static_assert(std::endian::native == std::endian::little, "states are written as they are in memory");

namespace {

constexpr std::size_t kChunkBytes = 64U << 10U;
constexpr std::array<char, 4> kMagic{'S', 'L', 'M', 'S'};
constexpr std::size_t kChecksumBytes = 8;

/// Words mixed one by one; it is there for torn and damaged files, not against someone who wants to fool it.
std::uint64_t mixed(std::uint64_t checksum, std::span<const std::byte> bytes) {
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(8, bytes.size() - at));
        checksum = std::rotl((checksum ^ word) * 0x9E3779B97F4A7C15U, 29) + 1;
    }
    return checksum;
}

}  // namespace

StateWriter::StateWriter(Sink sink) : sink_(std::move(sink)) {
    buffer_.reserve(kChunkBytes);
    bytes(std::as_bytes(std::span(kMagic)));
    u32(kStateVersion);
}

void StateWriter::bytes(std::span<const std::byte> value) {
    while (!value.empty()) {
        const auto part = value.first(std::min(value.size(), kChunkBytes - buffer_.size()));
        buffer_.insert(buffer_.end(), part.begin(), part.end());
        value = value.subspan(part.size());
        if (buffer_.size() == kChunkBytes) flush();
    }
}

void StateWriter::flush() {
    checksum_ = mixed(checksum_, buffer_);
    sink_(buffer_);
    buffer_.clear();
}

void StateWriter::u32(std::uint32_t value) {
    bytes(std::as_bytes(std::span(&value, 1)));
}
void StateWriter::i64(std::int64_t value) {
    bytes(std::as_bytes(std::span(&value, 1)));
}
void StateWriter::u64(std::uint64_t value) {
    bytes(std::as_bytes(std::span(&value, 1)));
}
void StateWriter::text(std::string_view value) {
    u32(static_cast<std::uint32_t>(value.size()));
    bytes(std::as_bytes(std::span(value)));
}

void StateWriter::finish() {
    if (!buffer_.empty()) flush();
    const auto checksum = checksum_;
    sink_(std::as_bytes(std::span(&checksum, 1)));
}

StateReader::StateReader(std::span<const std::byte> snapshot) : content_(snapshot) {
    if (snapshot.size() < kMagic.size() + sizeof(std::uint32_t) + kChecksumBytes ||
        std::memcmp(snapshot.data(), kMagic.data(), kMagic.size()) != 0) {
        fail("it is no snapshot of rules");
        return;
    }
    content_ = snapshot.first(snapshot.size() - kChecksumBytes);
    std::uint64_t written = 0;
    std::memcpy(&written, snapshot.data() + content_.size(), kChecksumBytes);
    if (written != mixed(0, content_)) {
        fail("its checksum is wrong");
        return;
    }
    at_ = kMagic.size();
    const auto version = u32();
    if (version != kStateVersion) {
        fail("it has version " + std::to_string(version) + ", this program has " + std::to_string(kStateVersion));
    }
}

void StateReader::fail(std::string why) {
    if (!ok()) return;
    fault_ = std::move(why);
    at_ = content_.size();
}

std::span<const std::byte> StateReader::bytes(std::size_t size) {
    if (!ok() || size > content_.size() - at_) {
        fail("it ends too early");
        return {};
    }
    at_ += size;
    return content_.subspan(at_ - size, size);
}

std::uint32_t StateReader::u32() {
    std::uint32_t value = 0;
    if (const auto from = bytes(sizeof value); !from.empty()) std::memcpy(&value, from.data(), sizeof value);
    return value;
}
std::int64_t StateReader::i64() {
    return static_cast<std::int64_t>(u64());
}
std::uint64_t StateReader::u64() {
    std::uint64_t value = 0;
    if (const auto from = bytes(sizeof value); !from.empty()) std::memcpy(&value, from.data(), sizeof value);
    return value;
}
std::string_view StateReader::text() {
    const auto from = bytes(u32());
    return {reinterpret_cast<const char*>(from.data()), from.size()};
}

}  // namespace sluice::models
