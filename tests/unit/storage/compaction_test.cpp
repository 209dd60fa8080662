#include "storage/compaction.hpp"

#include "storage/key_table.hpp"
#include "storage/recovery.hpp"
#include "storage/varint.hpp"
#include "storage/verify.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;
using namespace std::chrono_literals;
using Values = std::vector<std::string>;

namespace {

LogOptions compacted() {
    LogOptions options;
    options.segment_bytes = 300;
    options.compression = Compression::none;
    options.tail_cache_bytes = 0;
    options.cleanup = Cleanup::compact;
    options.hold_until_forwarded = false;
    return options;
}

struct Table {
    explicit Table(LogOptions options = compacted()) : log(options) {}

    void put(const std::string& key, const std::string& value) { append(record(value, key)); }
    void put_tombstone(const std::string& key) {
        auto tombstone = record("", key);
        tombstone.value.reset();
        append(tombstone);
    }
    /// Makes the batch of a segment one of a Kafka transaction, which may have been aborted.
    void make_transactional(Offset base) {
        const auto id = log->id();
        log.kill();
        write_bytes(log.directory() + "/log-id", id.to_string() + "\n");  // of a log that may have such batches
        auto text = read_bytes(log.segment(base.value()));
        const auto bytes = std::as_writable_bytes(std::span(text));
        bytes[22] |= std::byte{0x10};
        store_big_endian<std::int64_t>(bytes.data() + 43, 7);  // producer id
        seal_batch(bytes.first(must(decode_batch_header(bytes)).size_bytes));
        write_bytes(log.segment(base.value()), text);
        log.open();
    }
    void put_keyless(const std::string& value) { append(record(value, std::nullopt)); }
    void append(const Record& one) {
        must(log.append_only({one}));
        must(log->commit());
    }
    /// Everything but what comes later is in closed segments.
    void close_segment() { must(log->roll()); }
    /// So that the small ones become one when they are compacted.
    void with_large_segments() {
        log.options.segment_bytes = 1U << 20U;
        log.open();
    }
    CompactionResult compact(CompactionOptions options = {}) {
        return must(sluice::storage::compact(files, *log, log.clock, options, kNeverGiveUp));
    }

    TestLog log;
    PosixFileSystem files;
};

}  // namespace

TEST_CASE("key table: holds what it took, refuses new keys when it is full, and goes on updating those it has") {
    KeyTable table(1600);
    std::uint32_t taken = 0;
    while (table.put("key-" + std::to_string(taken), taken)) ++taken;
    CHECK(taken == 80);
    CHECK(table.put("key-7", 4711));
    CHECK(table.find("key-7") == 4711);
    CHECK(table.find("key-79") == 79);
    CHECK_FALSE(table.find("key-80").has_value());
}

TEST_CASE("key table: as large as the keys that come need, whatever it may take") {
    for (int keys = 0; keys < 200; ++keys) {
        KeyTable table(10U << 20U, keys);
        int taken = 0;
        while (table.put("key-" + std::to_string(taken), 0)) ++taken;
        CHECK(taken >= keys);
        CHECK(taken <= keys + keys / 4 + 16);
    }
}

TEST_CASE("compaction: the latest record of each key stays, at its offset; the active segment is left alone") {
    Table table;
    for (int round = 0; round < 5; ++round) {
        for (const auto* key : {"a", "b", "c"}) table.put(key, key + std::to_string(round));
    }
    table.close_segment();
    table.put("a", "a5");
    table.put("a", "a6");
    const auto result = table.compact();
    CHECK(result.records_left_out == 12);
    CHECK(result.clean_to == Offset(15));
    CHECK(table.log.values() == Values{"a4", "b4", "c4", "a5", "a6"});
    CHECK(table.log.values(13) == Values{"b4", "c4", "a5", "a6"});
    CHECK(table.log->log_end_offset() == Offset(17));
    table.log.open();
    CHECK(table.log.values() == Values{"a4", "b4", "c4", "a5", "a6"});
    CHECK(table.log.gaps.empty());
}

TEST_CASE("compaction: records without a key stay, all of them") {
    Table table;
    for (int i = 0; i < 6; ++i) table.put_keyless(std::to_string(i));
    table.put("k", "1");
    table.put("k", "2");
    table.close_segment();
    table.compact();
    CHECK(table.log.values() == Values{"0", "1", "2", "3", "4", "5", "2"});
}

TEST_CASE("compaction: a tombstone takes its key's records, stays for delete_retention, and goes") {
    auto options = compacted();
    options.delete_retention = 1h;
    options.min_dirty_ratio = 0;
    Table table(options);
    table.put("k", "1");
    table.put_tombstone("k");
    table.close_segment();
    table.compact();
    CHECK(table.log.values() == Values{"(null)"});
    const auto dirty_again = [&] {
        table.put("other", "x");
        table.close_segment();
        table.compact();
    };
    dirty_again();
    CHECK(table.log.values().front() == "(null)");
    table.log.clock.advance(61min);
    SUBCASE("unless the forwarder has yet to send it") {
        table.log->set_finished(Offset(1));
        dirty_again();
        CHECK(table.log.values().front() == "(null)");
        table.log->set_finished(Offset(2));
    }
    dirty_again();
    CHECK(table.log.values() == Values{"x"});
}

TEST_CASE("compaction: keys that don't fit in the table take several passes, and come out the same") {
    Table table;
    for (int round = 0; round < 3; ++round) {
        for (int key = 0; key < 40; ++key) table.put("key-" + std::to_string(key), std::to_string(round));
    }
    table.close_segment();
    int passes = 0;
    for (bool more = true; more; ++passes) {
        more = table.compact({.table_bytes = 256, .whatever_the_ratio = true}).more;
        REQUIRE(passes < 20);
    }
    CHECK(passes > 3);
    CHECK(table.log.values() == Values(40, "2"));
}

TEST_CASE("compaction: waits for the dirty ratio, min_compaction_lag, and the forwarder where it is told to") {
    auto options = compacted();
    SUBCASE("ratio") {
        options.min_dirty_ratio = 0.9;
        Table table(options);
        for (int i = 0; i < 10; ++i) table.put("k", std::to_string(i));
        table.close_segment();
        CHECK(table.compact().records_left_out == 9);
        for (int i = 0; i < 2; ++i) table.put("l", std::string(50, 'x'));
        table.close_segment();
        CHECK(table.compact().records_left_out == 0);
        CHECK(table.compact({.whatever_the_ratio = true}).records_left_out == 1);
    }
    SUBCASE("lag") {
        options.min_compaction_lag = 1h;
        Table table(options);
        for (int i = 0; i < 4; ++i) table.put("k", std::to_string(i));
        table.close_segment();
        CHECK(table.compact().records_left_out == 0);
        table.log.clock.advance(61min);
        CHECK(table.compact().records_left_out == 3);
    }
    SUBCASE("forwarder") {
        options.hold_until_forwarded = true;
        Table table(options);
        for (int i = 0; i < 4; ++i) table.put("k", std::to_string(i));
        table.close_segment();
        table.log->set_finished(Offset(0));
        CHECK(table.compact().records_left_out == 0);
        table.log->set_finished(Offset(4));
        CHECK(table.compact().records_left_out == 3);
    }
    SUBCASE("headers that are still needed") {
        Table table(options);
        table.log->hold_from(Offset(0));
        for (int i = 0; i < 4; ++i) table.put("k", std::to_string(i));
        table.close_segment();
        CHECK(table.compact().records_left_out == 0);
        table.log->hold_from(Offset(4));
        CHECK(table.compact().records_left_out == 3);
    }
}

TEST_CASE("compaction: a reader in the middle of a segment that is replaced reads on without a gap or a repetition") {
    Table table;
    for (int i = 0; i < 40; ++i) table.put("key-" + std::to_string(i % 20), std::to_string(i));
    table.close_segment();
    LogReader reader(*table.log, Offset(0));
    for (int i = 0; i < 5; ++i) REQUIRE(must(reader.next()).has_value());
    table.compact();
    Offset last = reader.position() + -1;
    int later = 0;
    while (auto batch = must(reader.next())) {
        for (const auto& each : batch->records()) {
            CHECK(each.offset > last);
            last = each.offset;
            if (each.offset >= Offset(20)) ++later;
        }
    }
    CHECK(later == 20);
}

TEST_CASE("compaction: small segments become one file, and no file is written where nothing changes") {
    Table table;
    for (int i = 0; i < 60; ++i) table.put("key-" + std::to_string(i % 3), "value-" + std::to_string(i));
    table.close_segment();
    CHECK(table.log->segments().closed().size() > 10);
    table.with_large_segments();
    table.compact();
    CHECK(table.log->segments().closed().size() == 1);
    const auto before = must(table.files.status(table.log.segment(0)));
    std::filesystem::last_write_time(table.log.segment(0), std::filesystem::file_time_type::clock::now() - 5h);
    table.compact({.whatever_the_ratio = true});
    CHECK(must(table.files.status(table.log.segment(0))).size_bytes == before.size_bytes);
    const auto verified = must(verify_log(table.files, table.log.directory(), {}));
    CHECK(verified.faults == 0);
    CHECK(verified.offsets_missing == 57);
}

TEST_CASE("recovery: a swap that was cut short is completed, wherever it was cut") {
    Table table;
    for (int i = 0; i < 30; ++i) table.put("key-" + std::to_string(i % 3), "value-" + std::to_string(i));
    table.close_segment();
    table.with_large_segments();
    table.log.kill();
    const TempDir saved;
    std::filesystem::copy(table.log.directory(), saved / "before", std::filesystem::copy_options::recursive);
    table.log.open();
    table.compact();
    const auto expected = table.log.values();
    const auto merged = read_bytes(table.log.segment(0));
    table.log.kill();
    const auto swap = table.log.directory() + "/" + swap_file_name(Offset(0), Offset(30));
    for (int removed = 0; removed <= 9; removed += 3) {
        std::filesystem::remove_all(table.log.directory());
        std::filesystem::copy(saved / "before", table.log.directory(), std::filesystem::copy_options::recursive);
        write_bytes(swap, merged);
        for (int base = 3; base < 3 + removed; base += 3) std::filesystem::remove(table.log.segment(base));
        table.log.open();
        CHECK(table.log.values() == expected);
        CHECK_FALSE(std::filesystem::exists(swap));
        table.log.kill();
    }
}

TEST_CASE("recovery: a damaged swap file doesn't replace intact segments, and verify says so") {
    Table table;
    for (int i = 0; i < 30; ++i) {
        if (i == 15)
            table.put_keyless(std::string(5000, 'x'));
        else
            table.put("key-" + std::to_string(i % 3), "value-" + std::to_string(i));
    }
    table.close_segment();
    table.with_large_segments();
    const auto all = table.log.values();
    table.log.kill();
    const TempDir saved;
    std::filesystem::copy(table.log.directory(), saved / "before", std::filesystem::copy_options::recursive);
    table.log.open();
    table.compact();
    auto merged = read_bytes(table.log.segment(0));
    table.log.kill();
    const auto swap = table.log.directory() + "/" + swap_file_name(Offset(0), Offset(30));
    const auto middle = static_cast<std::ptrdiff_t>(merged.size() / 2);
    const auto faults = [&] {
        return must(verify_log(table.files, table.log.directory(), [](const Finding&) {})).faults;
    };
    bool complete = true;
    SUBCASE("with a wrong byte") {
        merged[static_cast<std::size_t>(middle)] ^= 1;
    }
    SUBCASE("cut off") {
        merged.resize(static_cast<std::size_t>(middle));
    }
    SUBCASE("empty") {
        merged.clear();
    }
    SUBCASE("without its first batch") {
        merged.erase(0, must(decode_batch_header(std::as_bytes(std::span(merged)))).size_bytes);
    }
    SUBCASE("unless less of those is left") {
        merged[static_cast<std::size_t>(middle)] ^= 1;
        complete = false;
    }
    for (const bool repairs : {false, true}) {
        std::filesystem::remove_all(table.log.directory());
        std::filesystem::copy(saved / "before", table.log.directory(), std::filesystem::copy_options::recursive);
        if (!complete) std::filesystem::remove(table.log.segment(3));
        write_bytes(swap, merged);
        CHECK(faults() == 1);
        if (repairs) {
            must(repair_log(table.files, table.log.directory(), "s", [](const Gap&) {}));
            CHECK(faults() == 0);
        }
        table.log.open();
        CHECK_FALSE(std::filesystem::exists(swap));
        CHECK(table.log.values() == (complete ? all : Values{"value-27", "value-28", "value-29"}));
        table.log.kill();
    }
}

TEST_CASE("compaction: a reader inside of a segment that is merged with others misses nothing") {
    auto options = compacted();
    options.segment_bytes = 1U << 20U;
    options.tail_cache_bytes = 300;  // the newest are in memory, which a reader must not jump to
    Table table(options);
    for (int i = 0; i < 30; ++i) {
        table.put("key-" + std::to_string(i), "value-" + std::to_string(i));
        if (i < 20 && i % 5 == 4) must(table.log->roll());
    }
    LogReader reader(*table.log, Offset(0));
    std::size_t seen = must(reader.next())->records().size();
    table.compact({.whatever_the_ratio = true});
    CHECK(table.log->segments().all().size() == 2);
    while (const auto batch = must(reader.next())) seen += batch->records().size();
    CHECK(seen == 30);
}

TEST_CASE("compaction: a record of a transaction supersedes nothing, as it may have been aborted, and stays") {
    Table table;
    table.put("k", "committed");
    table.close_segment();
    const auto base = table.log->log_end_offset();
    table.put("k", "aborted");
    table.close_segment();
    table.make_transactional(base);
    table.put("other", "x");
    table.close_segment();
    table.compact({.whatever_the_ratio = true});
    CHECK(table.log.values() == Values{"committed", "aborted", "x"});
    table.put("k", "later");
    table.close_segment();
    table.compact({.whatever_the_ratio = true});
    CHECK(table.log.values() == Values{"aborted", "x", "later"});
    // The tombstone has to outlive what it deletes.
    table.put_tombstone("k");
    table.close_segment();
    for (int i = 0; i < 3; ++i) {
        table.compact({.whatever_the_ratio = true});
        table.log.clock.advance(table.log.options.delete_retention + 1h);
        table.put("other", std::to_string(i));
        table.close_segment();
    }
    CHECK(table.log.values() == Values{"aborted", "(null)", "1", "2"});
}

TEST_CASE("compaction: with Kafka's LogAppendTime the batch's time is that of each record, and stays it") {
    constexpr std::int64_t kAppended = 1'800'000'000'000;
    Table table;
    table.put("a", "old");
    table.put("b", "kept");
    table.put("a", "new");
    table.close_segment();
    auto text = read_bytes(table.log.segment(0));
    for (auto bytes = std::as_writable_bytes(std::span(text)); !bytes.empty();) {
        const auto size = must(decode_batch_header(bytes)).size_bytes;
        bytes[22] |= std::byte{0x08};
        store_big_endian<std::int64_t>(bytes.data() + 35, kAppended);  // max timestamp
        seal_batch(bytes.first(size));
        bytes = bytes.subspan(size);
    }
    write_bytes(table.log.segment(0), text);
    must(remove_indexes(table.files, table.log.directory(), Offset(0)));
    const auto check = [&](std::size_t count) {
        LogReader reader(*table.log, Offset(0));
        std::size_t found = 0;
        while (auto batch = must(reader.next())) {
            for (const auto& each : batch->records()) {
                CHECK(each.timestamp == Timestamp(std::chrono::milliseconds(kAppended)));
                ++found;
            }
        }
        CHECK(found == count);
        CHECK(must(table.log->offset_for(Timestamp(std::chrono::milliseconds(kAppended)))) < Offset(3));
    };
    check(3);
    table.compact();
    check(2);
}
