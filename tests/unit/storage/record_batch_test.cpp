#include "storage/record_batch.hpp"

#include "storage/batch_builder.hpp"
#include "storage/compression.hpp"
#include "storage/crc32c.hpp"
#include "storage/varint.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace sluice::storage;
using sluice::test::must;

namespace {

std::vector<Record> sample_records() {
    std::vector<Record> records(4);
    records[0].key = "pump-07";
    records[0].value = std::string(300, 'v');
    records[0].headers = {{"mqtt.topic", "plant/pump-07"}, {"null", std::nullopt}, {"empty", ""}};
    records[0].timestamp = Timestamp(std::chrono::milliseconds(1'700'000'000'000));
    records[1].value = "";                                                           // null key, empty value
    records[1].timestamp = Timestamp(std::chrono::milliseconds(1'600'000'000'000));  // before the first
    records[2].key = "";
    records[2].timestamp = Timestamp(std::chrono::milliseconds(0));  // tombstone with an empty key
    records[3].key = std::string("\0\xff", 2);
    records[3].value = std::string("\xfe\0\xfd", 3);
    records[3].timestamp = Timestamp(std::chrono::milliseconds(1'800'000'000'000));
    return records;
}

std::vector<std::byte> encoded(Offset base_offset, const std::vector<Record>& records, Compression compression) {
    BatchBuilder builder;
    for (const auto& record : records) builder.add(record);
    const auto batch = must(builder.finish(base_offset, compression, BatchMarks()));
    return {batch.bytes.begin(), batch.bytes.end()};
}

std::string hex(const std::vector<std::byte>& bytes) {
    std::string text;
    for (const auto byte : bytes) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        text += kDigits[std::to_integer<std::size_t>(byte) >> 4U];
        text += kDigits[std::to_integer<std::size_t>(byte) & 15U];
    }
    return text;
}

bool refused(std::vector<std::byte> batch) {
    const auto decoded = DecodedBatch::decode(batch);
    return !decoded && decoded.error().kind() == Errc::corrupt;
}

/// Puts the right checksum on a batch that a test has changed.
std::vector<std::byte> with_crc(std::vector<std::byte> batch) {
    store_big_endian<std::uint32_t>(batch.data() + 17, crc32c(std::span(batch).subspan(21)));
    return batch;
}

}  // namespace

TEST_CASE("crc32c: the check value of the polynomial") {
    const std::string text = "123456789";
    CHECK(crc32c(std::as_bytes(std::span(text))) == 0xe3069283U);
    CHECK(crc32c({}) == 0);
}

TEST_CASE("varint: extremes survive a round trip, with the size foretold") {
    for (const std::int64_t value :
         {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1}, std::int64_t{63}, std::int64_t{-64}, std::int64_t{64},
          std::int64_t{1} << 40, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
        std::vector<std::byte> bytes;
        put_varint(bytes, value);
        CHECK(bytes.size() == varint_size(value));
        auto rest = std::span<const std::byte>(bytes);
        CHECK(take_varint(rest) == value);
        CHECK(rest.empty());
        auto cut = std::span<const std::byte>(bytes).first(bytes.size() - 1);
        CHECK_FALSE(take_varint(cut).has_value());
    }
    const std::vector<std::byte> endless(11, std::byte{0x80});
    auto rest = std::span<const std::byte>(endless);
    CHECK_FALSE(take_varint(rest).has_value());
}

TEST_CASE("record batch: the bytes are those of Kafka's format v2") {
    Record record;
    record.key = "k";
    record.value = "v";
    record.headers = {{"h", "x"}};
    record.timestamp = Timestamp(std::chrono::milliseconds(1));
    const std::vector<Record> records{record};
    const auto batch = encoded(Offset(5), records, Compression::none);
    // Written out by hand from the table of docs/log-format.md section 2.
    CHECK(hex(batch).substr(0, 34) ==
          "0000000000000005"
          "0000003e"
          "00000000"
          "02");
    CHECK(hex(batch).substr(42) ==
          "0000"
          "00000000"
          "0000000000000001"
          "0000000000000001"
          "ffffffffffffffff"
          "0000"
          "00000005"
          "00000001"
          "18"
          "00"
          "00"
          "00"
          "02"
          "6b"
          "02"
          "76"
          "02"
          "02"
          "68"
          "02"
          "78");
    CHECK(batch_crc_matches(batch));
}

TEST_CASE("record batch: records survive a round trip in every codec") {
    for (const auto codec : {Compression::none, Compression::lz4, Compression::zstd}) {
        CAPTURE(to_string(codec));
        const auto records = sample_records();
        const auto batch = encoded(Offset(1000), records, codec);
        const auto decoded = must(DecodedBatch::decode(batch));
        CHECK(decoded.header().base_offset == Offset(1000));
        CHECK(decoded.header().next_offset() == Offset(1004));
        CHECK(decoded.header().max_timestamp == records[3].timestamp);
        REQUIRE(decoded.records().size() == records.size());
        for (std::size_t i = 0; i < records.size(); ++i) {
            CHECK(decoded.records()[i].offset == Offset(1000 + static_cast<std::int64_t>(i)));
            CHECK(decoded.records()[i].to_record() == records[i]);
        }
    }
}

TEST_CASE("record batch: timestamps at the ends of their range survive") {
    std::vector<Record> records(2);
    records[0].timestamp = Timestamp(std::chrono::milliseconds(std::numeric_limits<std::int64_t>::min()));
    records[1].timestamp = Timestamp(std::chrono::milliseconds(std::numeric_limits<std::int64_t>::max()));
    const auto decoded = must(DecodedBatch::decode(encoded(Offset(0), records, Compression::none)));
    CHECK(decoded.records()[0].timestamp == records[0].timestamp);
    CHECK(decoded.records()[1].timestamp == records[1].timestamp);
}

TEST_CASE("record batch: what doesn't shrink is left uncompressed") {
    std::mt19937 random(1);
    Record record;
    record.value = std::string(1000, '\0');
    for (auto& c : *record.value) c = static_cast<char>(random());
    const std::vector<Record> records{record};
    const auto batch = encoded(Offset(0), records, Compression::lz4);
    CHECK(must(decode_batch_header(batch)).attributes == 0);
}

TEST_CASE("record batch: views stay valid when a decoded batch is moved") {
    auto first = must(DecodedBatch::decode(encoded(Offset(0), sample_records(), Compression::zstd)));
    const auto second = std::move(first);
    CHECK(second.records()[0].to_record() == sample_records()[0]);
    CHECK(find_header(second.records()[0], "mqtt.topic") == "plant/pump-07");
    CHECK_FALSE(find_header(second.records()[0], "null").has_value());
}

TEST_CASE("record batch: every flipped bit that the checksum covers is found") {
    const auto batch = encoded(Offset(7), sample_records(), Compression::none);
    for (std::size_t i = 16; i < batch.size(); ++i) {  // before 16: base offset, length, leader epoch
        for (unsigned bit = 0; bit < 8; ++bit) {
            auto damaged = batch;
            damaged[i] ^= static_cast<std::byte>(1U << bit);
            CHECK(refused(damaged));
        }
    }
}

TEST_CASE("record batch: a batch cut off anywhere is refused") {
    const auto batch = encoded(Offset(7), sample_records(), Compression::lz4);
    for (std::size_t size = 0; size < batch.size(); ++size) {
        CHECK(refused({batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(size)}));
    }
}

TEST_CASE("record batch: malformed fields under a right checksum are refused") {
    const auto good = encoded(Offset(7), sample_records(), Compression::none);
    const auto changed = [&](std::size_t at, std::initializer_list<int> bytes) {
        auto batch = good;
        for (const int byte : bytes) batch[at++] = static_cast<std::byte>(byte);
        return with_crc(std::move(batch));
    };
    CHECK_FALSE(refused(with_crc(good)));
    CHECK(refused(changed(0, {0xff})));                           // negative base offset
    CHECK(refused(changed(8, {0x7f, 0xff, 0xff, 0xff})));         // length beyond the bound
    CHECK(refused(changed(8, {0xff, 0xff, 0xff, 0xff})));         // negative length
    CHECK(refused(changed(8, {0, 0, 0, 0})));                     // length shorter than a header
    CHECK(refused(changed(16, {1})));                             // an older format
    CHECK(refused(changed(21, {0, 1})));                          // gzip, which we don't read
    CHECK(refused(changed(21, {0, 3})));                          // says lz4, is not
    CHECK(refused(changed(21, {0, 4})));                          // says zstd, is not
    CHECK(refused(changed(23, {0xff, 0xff, 0xff, 0xff})));        // negative last offset delta
    CHECK(refused(changed(23, {0, 0, 0, 0})));                    // more records than offsets
    CHECK(refused(changed(57, {0xff, 0xff, 0xff, 0xff})));        // negative count
    CHECK(refused(changed(57, {0, 0, 0, 3})));                    // bytes after the last record
    CHECK(refused(changed(61, {0x01})));                          // record of negative length
    CHECK(refused(changed(61, {0x80, 0x80, 0x80, 0x80, 0x20})));  // record longer than the batch
}

TEST_CASE("record batch: random bytes are refused, never a crash") {
    std::mt19937 random(42);
    const auto good = encoded(Offset(7), sample_records(), Compression::none);
    for (int round = 0; round < 20'000; ++round) {
        auto batch = good;
        for (int change = 0; change < 4; ++change)
            batch[61 + random() % (batch.size() - 61)] = static_cast<std::byte>(random());
        const auto decoded = DecodedBatch::decode(with_crc(std::move(batch)));
        if (decoded) CHECK(decoded->records().size() == 4);
    }
}

TEST_CASE("compression: a stream that would grow without bound is refused") {
    const std::vector<std::byte> zeros(kBatchBytesMax + 1);
    for (const auto codec : {Compression::lz4, Compression::zstd}) {
        std::vector<std::byte> packed;
        packed.resize(must(compress(zeros, codec, packed, 0)));
        std::vector<std::byte> out;
        const auto result = decompress(packed, codec, out);
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().message().find("larger than a batch may be") != std::string::npos);
    }
}

TEST_CASE("record batch: control batches have no records for us") {
    auto batch = encoded(Offset(7), sample_records(), Compression::none);
    batch[22] = std::byte{0x20};
    CHECK(must(DecodedBatch::decode(with_crc(std::move(batch)))).records().empty());
}
