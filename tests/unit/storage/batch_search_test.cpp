// The search for the next intact batch: what it finds, and what it costs whatever a device has sent.
#include "storage/batch_search.hpp"

#include "storage/batch_builder.hpp"
#include "storage/batch_scan.hpp"
#include "storage/crc32c.hpp"
#include "storage/varint.hpp"
#include "tests/support/log_builder.hpp"
#include "tests/support/memory_file.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;

namespace {

using Bytes = std::vector<std::byte>;

Bytes batch_from(std::int64_t base, std::string value = "value", Compression compression = Compression::none) {
    BatchBuilder builder;
    builder.add(record(std::move(value)));
    const auto batch = must(builder.finish(Offset(base), compression, BatchMarks()));
    return {batch.bytes.begin(), batch.bytes.end()};
}

Bytes joined(std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

Bytes garbage(std::size_t size, unsigned seed = 1) {
    std::mt19937 random(seed);
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    return bytes;
}

/// A header that passes every test but its checksum's, and claims `size` bytes.
Bytes fake_header(std::int64_t base, std::size_t size) {
    BatchHeader header;
    header.base_offset = Offset(base);
    header.size_bytes = kBatchHeaderBytes;
    header.record_count = 1;
    Bytes bytes(kBatchHeaderBytes);
    store_batch_header(bytes, header, BatchMarks());
    store_big_endian<std::int32_t>(bytes.data() + 8, static_cast<std::int32_t>(size - 12));
    return bytes;
}

/// `size` bytes of headers, one behind the other, each of which claims as much of the rest as it can.
Bytes fake_headers(std::size_t size, std::int64_t base) {
    Bytes bytes;
    bytes.reserve(size);
    while (bytes.size() + kBatchHeaderBytes <= size) {
        const auto fake = fake_header(base, std::min(size - bytes.size(), kBatchBytesMax));
        bytes.insert(bytes.end(), fake.begin(), fake.end());
    }
    bytes.resize(size);
    return bytes;
}

std::optional<std::uint64_t> find(const Bytes& bytes, std::uint64_t from, std::int64_t at_least) {
    const MemoryFile file(bytes);
    const auto found =
        must(find_intact_batch(file, FilePosition(from), FilePosition(bytes.size()), Offset(at_least), {}));
    return found ? std::optional(found->value()) : std::nullopt;
}

/// What checking every place in order would find.
std::optional<std::uint64_t> find_slowly(const Bytes& bytes, std::uint64_t from, std::int64_t at_least) {
    const MemoryFile file(bytes);
    Bytes batch;
    for (auto at = from; at < bytes.size(); ++at) {
        const auto header =
            must(read_intact_batch(file, FilePosition(at), FilePosition(bytes.size()), Offset(0), {}, batch));
        if (!header) continue;
        if (header->base_offset >= Offset(at_least)) return at;
        at += header->size_bytes - 1;
    }
    return std::nullopt;
}

}  // namespace

TEST_CASE("crc32c: the checksum of the second of two pieces follows from those of the first and of both") {
    const auto bytes = garbage(100'000);
    const std::span all(bytes);
    std::mt19937 random(7);
    for (int i = 0; i < 200; ++i) {
        const auto cut = random() % (bytes.size() + 1);
        const auto first = crc32c(all.first(cut));
        CHECK(crc32c(all.subspan(cut), first) == crc32c(all));
        CHECK((crc32c_shift(first, bytes.size() - cut) ^ crc32c(all)) == crc32c(all.subspan(cut)));
    }
}

TEST_CASE("batch search: the next intact batch is found behind garbage of any length") {
    for (const std::size_t size : {0U, 1U, 60U, 61U, 4'035U, 4'036U, 4'096U, 5'000U, 70'000U, 1'500'000U}) {
        CAPTURE(size);
        const auto bytes = joined({garbage(size), batch_from(5), batch_from(6)});
        CHECK(find(bytes, 0, 3) == size);
        CHECK(find(bytes, size, 3) == size);
        CHECK(find(bytes, size + 1, 3) == bytes.size() - batch_from(6).size());
        CHECK(find(bytes, 0, 6) == bytes.size() - batch_from(6).size());
        CHECK(find(bytes, 0, 7) == std::nullopt);
    }
}

TEST_CASE("batch search: a batch inside of one with a lower offset, or of the one that is found, is a payload") {
    const auto inner = batch_from(9);
    const std::string payload(reinterpret_cast<const char*>(inner.data()), inner.size());
    const auto outer = batch_from(2, payload);
    const auto bytes = joined({garbage(100), outer, garbage(100, 2), batch_from(5)});
    CHECK(find(bytes, 0, 3) == 200 + outer.size());
    CHECK(find(bytes, 0, 2) == 100);
    CHECK(find(joined({garbage(100), outer}), 0, 3) == std::nullopt);
}

TEST_CASE(
    "batch search: headers that claim what follows hide no batch behind them, and none of a lower offset either") {
    for (const std::int64_t claimed : {1, 7}) {
        const auto bytes = joined({fake_headers(300'000, claimed), batch_from(5), fake_headers(50'000, claimed)});
        CHECK(find(bytes, 0, 3) == 300'000);
    }
}

TEST_CASE("batch search: finds what checking every place would find") {
    std::mt19937 random(3);
    for (int round = 0; round < 300; ++round) {
        Bytes bytes;
        for (int part = 0; part < 30; ++part) {
            auto next = random() % 2 == 0 ? batch_from(random() % 40, std::string(random() % 300, 'x'))
                                          : fake_header(random() % 40, kBatchHeaderBytes + random() % 3'000);
            if (random() % 3 == 0) next[random() % next.size()] ^= std::byte{1};
            if (random() % 3 == 0) next.resize(random() % (next.size() + 50));
            bytes.insert(bytes.end(), next.begin(), next.end());
        }
        // One search for all, as a scan has it.
        const MemoryFile file(bytes);
        BatchSearch search(file, FilePosition(bytes.size()), {});
        std::uint64_t from = 0;
        for (std::int64_t at_least = 0; from < bytes.size(); at_least += random() % 4) {
            const auto found = must(search.find(FilePosition(from), Offset(at_least)));
            CHECK((found ? std::optional(found->value()) : std::nullopt) == find_slowly(bytes, from, at_least));
            if (!found) break;
            from = found->value() + 1 + random() % 200;
        }
    }
}

TEST_CASE("batch search: a batch that jumps further than a segment reaches is none, and the next one is found") {
    constexpr std::int64_t kFar = std::int64_t{1} << 40;
    const auto forged = batch_from(kFar);
    for (const auto& between : {Bytes(), garbage(100)}) {
        const auto bytes = joined({batch_from(0), between, forged, batch_from(5)});
        const MemoryFile file(bytes);
        const auto scan = must(scan_segment(file, Offset(0), {}));
        CHECK(scan.next_offset == Offset(6));
        CHECK(scan.batches == 2);
    }
}

TEST_CASE("batch search: reading is bounded by the length of the file, whatever it holds") {
    const auto read_by_a_scan_of = [](const Bytes& bytes) {
        const MemoryFile file(bytes);
        must(scan_segment(file, Offset(0), {}));
        return static_cast<double>(file.bytes_read) / static_cast<double>(bytes.size());
    };
    constexpr std::size_t kSegment = 16U << 20U;  // the default
    constexpr double kTimesMax = 12;
    SUBCASE("headers of earlier offsets, as a segment that was deleted may have left in the file") {
        CHECK(read_by_a_scan_of(joined({batch_from(0), fake_headers(kSegment, 0)})) < kTimesMax);
    }
    SUBCASE("headers of offsets that may come, and a good batch at the end") {
        CHECK(read_by_a_scan_of(joined({batch_from(0), fake_headers(kSegment, 1), batch_from(1)})) < kTimesMax);
    }
    SUBCASE("every byte may begin a batch") {
        CHECK(read_by_a_scan_of(Bytes(kSegment, std::byte{2})) < kTimesMax);
    }
    SUBCASE("many damaged places, with good batches between them") {
        Bytes bytes;
        for (int i = 0; i < 20'000; ++i) {
            const auto good = batch_from(2 * i);
            auto bad = batch_from(2 * i + 1);
            bad.back() ^= std::byte{1};
            bytes.insert(bytes.end(), good.begin(), good.end());
            bytes.insert(bytes.end(), bad.begin(), bad.end());
        }
        CHECK(read_by_a_scan_of(bytes) < 80);  // pieces of 4 KiB for each
    }
}
