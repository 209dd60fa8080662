#include "storage/key_search.hpp"

#include "storage/key_index.hpp"
#include "storage/retention.hpp"
#include "storage/verify.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

using namespace sluice::storage;
using namespace sluice::test;

namespace {

struct KeyRig {
    KeyRig() {
        LogOptions options;
        options.segment_bytes = 1000;
        options.compression = Compression::none;
        options.tail_cache_bytes = 0;
        log.options = options;
        log.open();
        for (int i = 0; i < 200; ++i) {
            const auto key = i == 7 ? std::string("rare") : "key-" + std::to_string(i % 10);
            must(log.append_only({record("value-" + std::to_string(i), key)}));
            must(log->commit());
        }
    }
    void index_segments() {
        for (const auto& segment : log->segments().closed()) must(segment->repair_indexes());
    }
    std::string latest(const std::string& key) {
        const auto found = must(find_latest(files, *log, key));
        return found ? *found->record.value : "";
    }
    void check() {
        CHECK(latest("key-3") == "value-193");
        CHECK(latest("key-9") == "value-199");
        CHECK(latest("rare") == "value-7");
        CHECK(latest("never").empty());
    }

    TestLog log;
    PosixFileSystem files;
};

}  // namespace

TEST_CASE("key search: the latest record of a key, with and without key indexes") {
    KeyRig rig;
    rig.check();
    rig.index_segments();
    CHECK(std::filesystem::exists(rig.log.segment(0, kKeyIndexSuffix)));
    rig.check();
}

TEST_CASE("key search: a damaged, cut or foreign key index hides nothing") {
    KeyRig rig;
    rig.index_segments();
    const auto path = rig.log.segment(0, kKeyIndexSuffix);
    const auto good = read_bytes(path);
    auto flipped = good;
    flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 4);
    for (const auto& bad : {flipped, good.substr(0, good.size() - 12), good + std::string(12, '\0'), std::string()}) {
        write_bytes(path, bad);
        rig.check();
    }
}

TEST_CASE("key index: has every key of its segment, and goes with it") {
    KeyRig rig;
    const auto segment = rig.log->segments().closed().front();
    const auto index = must(KeyIndex::build(*segment));
    REQUIRE(index.has_value());
    CHECK(index->last_of("rare") == Offset(7));
    CHECK_FALSE(index->last_of("never").has_value());
    rig.index_segments();
    rig.log->set_finished(*segment->next_base());
    CHECK(must(delete_finished(rig.files, *rig.log)));
    CHECK_FALSE(std::filesystem::exists(rig.log.segment(0, kKeyIndexSuffix)));
}

TEST_CASE("key index: that of another segment hides no key") {
    LogOptions options;
    options.segment_bytes = 1000;
    options.compression = Compression::none;
    TestLog log(options);
    for (int i = 0; i < 50; ++i) {
        must(log.append_only({record("v" + std::to_string(i) + std::string(100, 'x'), "k" + std::to_string(i))}));
        must(log->commit());
    }
    const auto closed = log->segments().closed();
    for (const auto& segment : closed) must(segment->repair_indexes());
    const auto from = closed[0]->path(kKeyIndexSuffix);
    const auto to = closed[1]->path(kKeyIndexSuffix);
    PosixFileSystem files;
    REQUIRE(KeyIndex::load(files, *closed[1]).has_value());
    write_bytes(to, read_bytes(from));
    CHECK_FALSE(KeyIndex::load(files, *closed[1]).has_value());
    for (int i = 0; i < 50; ++i) CHECK(must(find_latest(files, *log, "k" + std::to_string(i))));
}

TEST_CASE("key index: a segment with too many keys is read once to find that out, and searched without") {
    LogOptions options;
    options.tail_cache_bytes = 0;
    TestLog log(options);
    std::vector<Record> records;
    for (std::size_t i = 0; i < KeyIndex::kKeysMax + 2; ++i) records.push_back(record("v", "k" + std::to_string(i)));
    must(log.append_only(records));
    must(log->commit());
    must(log->roll());
    int batches = 0;
    const auto count = [&](std::size_t) { return ++batches > 0; };
    for (int start = 0; start < 2; ++start) {
        must(log->segments().closed().front()->repair_indexes(count));
        CHECK(batches == 1);
        log.open();
    }
    PosixFileSystem files;
    CHECK(must(find_latest(files, *log, "k17"))->offset == Offset(17));
    CHECK_FALSE(must(find_latest(files, *log, "never")));
}

TEST_CASE("key index: verify says of a damaged one that searches do without") {
    KeyRig rig;
    rig.index_segments();
    const auto notes = [&] {
        int found = 0;
        const auto verified = must(verify_log(rig.files, rig.log.directory(), [&](const Finding& finding) {
            found += finding.path == rig.log.segment(0, kKeyIndexSuffix) ? 1 : 0;
        }));
        CHECK(verified.faults == 0);
        return found;
    };
    CHECK(notes() == 0);
    auto bytes = read_bytes(rig.log.segment(0, kKeyIndexSuffix));
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_bytes(rig.log.segment(0, kKeyIndexSuffix), bytes);
    CHECK(notes() == 1);
}
