// Any bytes as the index files of a segment: refused, or look-ups that stay inside of the segment.
#include "storage/segment_index.hpp"
#include "tests/support/sim_file_system.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

using namespace sluice;
using namespace sluice::storage;

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::uint64_t kSegmentBytes = 1U << 20U;
    test::SimFileSystem files(1);
    auto file = files.open("/f", OpenMode::create);
    if (!file || !(*file)->write_at(FilePosition(0), std::as_bytes(std::span(data, size)))) __builtin_trap();
    const Offset base(1000);
    if (const auto index = OffsetIndex::load(**file, base, kSegmentBytes)) {
        for (const std::int64_t at : {std::int64_t{0}, std::int64_t{1000}, std::int64_t{1'000'000}, INT64_MAX / 2}) {
            if (index->look_up(Offset(at)).value() >= kSegmentBytes) __builtin_trap();
        }
        if (index->encode().size() != size) __builtin_trap();
    }
    if (auto index = TimeIndex::load(**file, base, kSegmentBytes)) {
        for (const std::int64_t at : {INT64_MIN, std::int64_t{0}, std::int64_t{1'700'000'000'000}, INT64_MAX}) {
            if (index->look_up(Timestamp(std::chrono::milliseconds(at))) < base) __builtin_trap();
        }
        if (index->encode().size() != size) __builtin_trap();
        index->truncate_after(base + 100);
    }
    return 0;
}
