#include "storage/foreign_codecs.hpp"

#include "storage/record_batch.hpp"
#include "storage/varint.hpp"

#include <snappy-c.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace sluice::storage {

namespace {

constexpr int kGzipWindowBits = 15 + 16;  // the largest window, and a gzip header
constexpr std::size_t kFirstPlainBytes = 64U << 10U;
constexpr std::array<unsigned char, 8> kJavaMagic{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
constexpr std::size_t kJavaHeaderBytes = 16;  // the magic, and two versions

Error damaged(const char* codec) {
    return {Errc::corrupt, std::string(codec) + " stream is damaged, cut off or too large"};
}

/// Decompresses one raw block to the end of `out`; false where it is damaged.
bool append_block(std::span<const std::byte> block, std::vector<std::byte>& out) {
    const auto* data = reinterpret_cast<const char*>(block.data());
    std::size_t size = 0;
    if (snappy_uncompressed_length(data, block.size(), &size) != SNAPPY_OK) return false;
    // No block of snappy expands more than this; a claim of more would only cost memory.
    constexpr std::size_t kExpansionMax = 64;
    if (size > kBatchBytesMax - out.size() || size / kExpansionMax > block.size()) return false;
    const auto at = out.size();
    out.resize(at + size);
    return snappy_uncompress(data, block.size(), reinterpret_cast<char*>(out.data() + at), &size) == SNAPPY_OK;
}

struct Inflater {
    z_stream stream{};
    bool ready = inflateInit2(&stream, kGzipWindowBits) == Z_OK;
    Inflater() = default;
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
    ~Inflater() {
        if (ready) inflateEnd(&stream);
    }
};

}  // namespace

Result<void> decompress_gzip(std::span<const std::byte> bytes, std::vector<std::byte>& out) {
    Inflater inflater;
    if (!inflater.ready) return Error(Errc::io, "gzip: out of memory");
    auto& stream = inflater.stream;
    // zlib takes a non-const pointer but only reads.
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    out.resize(kFirstPlainBytes);
    for (int state = Z_OK; state != Z_STREAM_END;) {
        const std::size_t used = stream.total_out;
        if (used == out.size()) {
            if (used >= kBatchBytesMax) return damaged("gzip");
            out.resize(std::min(2 * used, kBatchBytesMax));
        }
        stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
        stream.avail_out = static_cast<uInt>(out.size() - used);
        state = inflate(&stream, Z_NO_FLUSH);
        if (state != Z_OK && state != Z_STREAM_END) return damaged("gzip");
    }
    out.resize(stream.total_out);
    return {};
}

Result<void> decompress_snappy(std::span<const std::byte> bytes, std::vector<std::byte>& out) {
    out.clear();
    const auto magic = std::as_bytes(std::span(kJavaMagic));
    const bool framed =
        bytes.size() >= kJavaHeaderBytes && std::equal(magic.begin(), magic.end(), bytes.begin(), bytes.begin() + 8);
    if (!framed) {
        if (!append_block(bytes, out)) return damaged("snappy");
        return {};
    }
    for (auto rest = bytes.subspan(kJavaHeaderBytes); !rest.empty();) {
        if (rest.size() < sizeof(std::int32_t)) return damaged("snappy");
        const auto length = load_big_endian<std::int32_t>(rest.data());
        rest = rest.subspan(sizeof(std::int32_t));
        if (length < 0 || static_cast<std::size_t>(length) > rest.size()) return damaged("snappy");
        if (!append_block(rest.first(static_cast<std::size_t>(length)), out)) return damaged("snappy");
        rest = rest.subspan(static_cast<std::size_t>(length));
    }
    return {};
}

}  // namespace sluice::storage
