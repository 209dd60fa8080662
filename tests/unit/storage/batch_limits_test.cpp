// What a batch may claim is bounded before anything is allocated for it: a few KiB of it must not take the memory of a
// small gateway.
#include "storage/batch_builder.hpp"
#include "storage/compression.hpp"
#include "storage/group_commit.hpp"
#include "storage/varint.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;

namespace {

/// A batch whose records are `body`, compressed, and whose checksum is right, whatever it claims.
std::vector<std::byte> claiming(std::size_t record_count, const std::vector<std::byte>& body) {
    std::vector<std::byte> batch;
    batch.resize(must(compress(body, Compression::zstd, batch, kBatchHeaderBytes)));
    BatchHeader header;
    header.size_bytes = static_cast<std::uint32_t>(batch.size());
    header.attributes = static_cast<std::uint16_t>(Compression::zstd);
    header.record_count = static_cast<std::int32_t>(record_count);
    header.last_offset_delta = header.record_count - 1;
    store_batch_header(batch, header, BatchMarks());
    seal_batch(batch);
    return batch;
}

std::string refusal(const std::vector<std::byte>& batch) {
    const auto decoded = DecodedBatch::decode(batch);
    return decoded ? "none" : decoded.error().message();
}

}  // namespace

TEST_CASE("batch limits: more records than their bytes can hold are refused before memory is taken for them") {
    constexpr std::size_t kRecords = 1'000'000;
    CHECK(refusal(claiming(kRecords, std::vector<std::byte>(7 * kRecords - 1))).find("fewer bytes") !=
          std::string::npos);
}

TEST_CASE("batch limits: a batch of many millions of records is refused by its header, before it is decompressed") {
    const std::vector<std::byte> zeros(kBatchBytesMax - kBatchHeaderBytes);
    for (const auto records : {zeros.size(), zeros.size() / 7, kBatchRecordsMax + 1}) {
        const auto batch = claiming(records, zeros);
        CHECK(batch.size() < 16'384);
        CHECK_FALSE(decode_batch_header(batch).has_value());
        CHECK(refusal(batch).find("too many") != std::string::npos);
    }
}

TEST_CASE("batch limits: a record of a million headers is refused") {
    constexpr std::size_t kHeaders = kBatchHeadersMax + 1;
    std::vector<std::byte> fields(3);  // attributes, deltas
    put_varint(fields, -1);            // no key
    put_varint(fields, -1);            // no value
    put_varint(fields, static_cast<std::int64_t>(kHeaders));
    for (std::size_t i = 0; i < kHeaders; ++i) {
        put_varint(fields, 0);   // an empty key
        put_varint(fields, -1);  // no value
    }
    std::vector<std::byte> body;
    put_varint(body, static_cast<std::int64_t>(fields.size()));
    body.insert(body.end(), fields.begin(), fields.end());
    CHECK(refusal(claiming(1, body)).find("malformed") != std::string::npos);
}

TEST_CASE("batch limits: what can't be read is not written") {
    BatchBuilder builder;
    for (std::size_t i = 0; i < kBatchRecordsMax; ++i) builder.add(Record());
    const auto largest = must(builder.finish(Offset(0), Compression::lz4, BatchMarks()));
    CHECK(must(DecodedBatch::decode(largest.bytes)).records().size() == kBatchRecordsMax);
    builder.add(Record());
    CHECK(builder.finish(Offset(0), Compression::lz4, BatchMarks()).error().kind() == Errc::invalid);

    TestLog log;
    GroupCommit commit({}, {});
    auto many = record("v");
    many.headers.resize(kRecordHeadersMax);
    CHECK(commit.append(*log, many).get().has_value());
    many.headers.emplace_back();
    CHECK(commit.append(*log, many).get().error().kind() == Errc::invalid);
}
