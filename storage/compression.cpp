#include "storage/compression.hpp"

#include "storage/assert.hpp"
#include "storage/foreign_codecs.hpp"

#include <lz4frame.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <string>

namespace sluice::storage {

namespace {

constexpr int kZstdLevel = 1;  // telemetry in batches of a few KiB: higher levels cost CPU and win little
constexpr std::size_t kPlainBytesMin = 1024;  // room to decompress into

Error damaged(std::string_view codec, const char* what) {
    return {Errc::corrupt, std::string(codec) + " stream is damaged: " + what};
}

void grow(std::vector<std::byte>& out, std::size_t size) {
    if (out.size() < size) out.resize(size);
}

Result<std::size_t> compress_lz4(std::span<const std::byte> bytes, std::vector<std::byte>& out, std::size_t at) {
    LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
    preferences.frameInfo.blockMode = LZ4F_blockIndependent;
    preferences.frameInfo.blockSizeID = LZ4F_max64KB;
    const auto bound = LZ4F_compressFrameBound(bytes.size(), &preferences);
    grow(out, at + bound);
    const auto n = LZ4F_compressFrame(out.data() + at, bound, bytes.data(), bytes.size(), &preferences);
    if (LZ4F_isError(n) != 0) return Error(Errc::invalid, std::string("lz4: ") + LZ4F_getErrorName(n));
    return at + n;
}

Result<std::size_t> compress_zstd(std::span<const std::byte> bytes, std::vector<std::byte>& out, std::size_t at) {
    thread_local const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
    const auto bound = ZSTD_compressBound(bytes.size());
    grow(out, at + bound);
    const auto n = ZSTD_compressCCtx(context.get(), out.data() + at, bound, bytes.data(), bytes.size(), kZstdLevel);
    if (ZSTD_isError(n) != 0) return Error(Errc::invalid, std::string("zstd: ") + ZSTD_getErrorName(n));
    return at + n;
}

/// Where most batches fit at once: telemetry compresses to a quarter.
std::size_t expected_size(std::span<const std::byte> compressed) {
    return std::clamp(compressed.size() * 4, kPlainBytesMin, kBatchBytesMax);
}

/// Makes `out` larger to decompress into; false where that would pass the bound.
bool make_room(std::vector<std::byte>& out, std::size_t used) {
    if (used >= kBatchBytesMax) return false;
    out.resize(std::min(out.size() * 2, kBatchBytesMax));
    return true;
}

/// One a thread: making one costs more than a small batch. nullptr: out of memory.
LZ4F_dctx* lz4_context() {
    const auto make = [] {
        LZ4F_dctx* context = nullptr;
        LZ4F_createDecompressionContext(&context, LZ4F_VERSION);
        return context;
    };
    thread_local const std::unique_ptr<LZ4F_dctx, decltype(&LZ4F_freeDecompressionContext)> context(
        make(), &LZ4F_freeDecompressionContext);
    return context.get();
}

Result<void> decompress_lz4(std::span<const std::byte> bytes, std::vector<std::byte>& out) {
    auto* context = lz4_context();
    if (context == nullptr) return Error(Errc::io, "lz4: out of memory");
    LZ4F_resetDecompressionContext(context);
    out.resize(expected_size(bytes));
    std::size_t used = 0;
    for (std::size_t hint = 1; hint != 0;) {
        if (used == out.size() && !make_room(out, used)) return damaged("lz4", "larger than a batch may be");
        std::size_t written = out.size() - used;
        std::size_t read = bytes.size();
        hint = LZ4F_decompress(context, out.data() + used, &written, bytes.data(), &read, nullptr);
        if (LZ4F_isError(hint) != 0) return damaged("lz4", LZ4F_getErrorName(hint));
        if (hint != 0 && read == 0 && written == 0) return damaged("lz4", "cut off");
        used += written;
        bytes = bytes.subspan(read);
    }
    out.resize(used);
    return {};
}

Result<void> decompress_zstd(std::span<const std::byte> bytes, std::vector<std::byte>& out) {
    thread_local const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
    ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_only);
    out.resize(expected_size(bytes));
    std::size_t used = 0;
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (std::size_t hint = 1; hint != 0;) {
        if (used == out.size() && !make_room(out, used)) return damaged("zstd", "larger than a batch may be");
        ZSTD_outBuffer to{out.data(), out.size(), used};
        const auto read_before = in.pos;
        hint = ZSTD_decompressStream(context.get(), &to, &in);
        if (ZSTD_isError(hint) != 0) return damaged("zstd", ZSTD_getErrorName(hint));
        if (hint != 0 && in.pos == read_before && to.pos == used) return damaged("zstd", "cut off");
        used = to.pos;
    }
    out.resize(used);
    return {};
}

}  // namespace

Result<std::size_t> compress(std::span<const std::byte> bytes, Compression compression, std::vector<std::byte>& out,
                             std::size_t at) {
    SLUICE_ASSERT(compression == Compression::lz4 || compression == Compression::zstd);
    return compression == Compression::lz4 ? compress_lz4(bytes, out, at) : compress_zstd(bytes, out, at);
}

Result<void> decompress(std::span<const std::byte> bytes, Compression compression, std::vector<std::byte>& out) {
    switch (compression) {
        case Compression::gzip:
            return decompress_gzip(bytes, out);
        case Compression::snappy:
            return decompress_snappy(bytes, out);
        case Compression::lz4:
            return decompress_lz4(bytes, out);
        case Compression::zstd:
            return decompress_zstd(bytes, out);
        case Compression::none:
            break;
    }
    return Error(Errc::corrupt, "no such codec");
}

}  // namespace sluice::storage
