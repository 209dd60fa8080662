#include "storage/delivery_ledger.hpp"

#include "storage/delivery_search.hpp"
#include "tests/support/fault_file_system.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

using Records = std::vector<DeliveryBlock::Record>;

Records coded(const Records& records) {
    DeliveryBlockBuilder builder;
    for (const auto& record : records) builder.add(record.offset, record.place);
    std::vector<std::byte> bytes;
    builder.encode(bytes);
    CHECK(builder.empty());
    const auto block = DeliveryBlock::decode(bytes);
    REQUIRE(block);
    CHECK(block->first() == records.front().offset);
    CHECK(block->next() == records.back().offset + 1);
    const auto back = block->records();
    REQUIRE(back);
    return *back;
}

struct LedgerRig {
    [[nodiscard]] std::unique_ptr<DeliveryLedger> open(bool transactional = false) {
        options.transactional = transactional;
        auto ledger = must(DeliveryLedger::open(files, clock, directory, options));
        CHECK(ledger->add_stream({"s", id, "t", "forward"}, log_end) == 0);
        return ledger;
    }
    [[nodiscard]] DeliveryAnswer find(std::int64_t offset, std::optional<std::int64_t> cursor = {}) {
        return must(find_delivery(files, directory, "s", id, Offset(offset), [&](const std::string& reader) {
            CHECK(reader == "forward");
            return cursor ? std::optional(Offset(*cursor)) : std::nullopt;
        }));
    }
    [[nodiscard]] std::vector<KafkaPlace> places(std::int64_t offset, std::optional<std::int64_t> cursor = {}) {
        std::vector<KafkaPlace> found;
        for (const auto& delivered : find(offset, cursor).places) found.push_back(delivered.place);
        return found;
    }
    [[nodiscard]] std::vector<std::string> names() {
        auto found = must(files.list(directory));
        return found;
    }

    TempDir dir;
    const std::string directory = dir / "delivery";
    Faults faults;
    FaultFileSystem files{faults};
    TestClock clock;
    const LogId id = LogId::random();
    Offset log_end{0};
    DeliveryOptions options;
};

using Places = std::vector<KafkaPlace>;

}  // namespace

TEST_CASE("delivery block: what was added comes back, whatever the holes, the jumps and the partitions") {
    std::mt19937_64 random(20260131);
    const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
    for (int run = 0; run < 2000; ++run) {
        const auto partitions = 1 + below(run % 10 == 0 ? 255 : 13);
        const auto rarely = 1 + static_cast<std::uint64_t>(below(100));
        std::map<std::int32_t, std::int64_t> next;
        Records records;
        auto offset = below(1U << 20U);
        auto partition = static_cast<std::int32_t>(below(static_cast<std::uint64_t>(partitions)));
        const auto count = 1 + below(DeliveryBlockBuilder::kRecordsMax);
        const bool sticky = below(2) == 0;
        for (int i = 0; i < count; ++i, ++offset) {
            if (!sticky || below(50) == 0) {
                partition = static_cast<std::int32_t>(below(static_cast<std::uint64_t>(partitions)) * 31);
            }
            if (below(rarely) == 0) offset += below(1000);
            if (below(rarely) == 0) next[partition] += below(1'000'000) - 1000;
            records.push_back({Offset(offset), {partition, 5000 + next[partition]++}});
        }
        REQUIRE(coded(records) == records);
    }
}

TEST_CASE("delivery block: the worst block fits into a frame") {
    DeliveryBlockBuilder builder;
    for (int i = 0; !builder.full(); ++i) builder.add(Offset(i * 1'000'000'000LL), {i % 250, (i % 7) * (1LL << 60U)});
    std::vector<std::byte> bytes;
    builder.encode(bytes);
    CHECK(bytes.size() < 65'000);
}

TEST_CASE("delivery block: bytes that are no block's are refused, not believed") {
    DeliveryBlockBuilder builder;
    for (int i = 0; i < 100; ++i) builder.add(Offset(i * 2), {i % 5, i});
    std::vector<std::byte> good;
    builder.encode(good);
    std::mt19937 random(1);
    for (int run = 0; run < 20'000; ++run) {
        auto bytes = good;
        for (int i = 0; i < 3; ++i) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
        bytes.resize(random() % (bytes.size() + 1));
        const auto block = DeliveryBlock::decode(bytes);
        const auto records = block ? block->records() : std::nullopt;
        if (records) CHECK(records->size() <= DeliveryBlockBuilder::kRecordsMax);
    }
}

TEST_CASE("delivery ledger: what was flushed is found, by its log id, also after a restart") {
    LedgerRig rig;
    auto ledger = rig.open();
    for (int i = 0; i < 5000; ++i) ledger->add(0, Offset(i), {i % 3, 100 + i / 3});
    must(ledger->flush());
    for (const int i : {0, 1, 2047, 2048, 4999}) CHECK(rig.places(i) == Places{{i % 3, 100 + i / 3}});
    CHECK(rig.places(5000).empty());
    CHECK(rig.find(7).places.front().topic == "t");
    rig.log_end = Offset(5000);
    ledger = rig.open();
    ledger->add(0, Offset(5000), {0, 9000});
    must(ledger->flush());
    CHECK(rig.places(4999) == Places{{4999 % 3, 100 + 4999 / 3}});
    CHECK(rig.places(5000) == Places{{0, 9000}});
    CHECK(must(find_delivery(rig.files, rig.directory, "s", LogId::random(), Offset(7), {})).places.empty());
}

TEST_CASE("delivery ledger: a record that was sent twice has two places; one that the log has lost has none") {
    LedgerRig rig;
    auto ledger = rig.open();
    for (int i = 0; i < 10; ++i) ledger->add(0, Offset(i), {0, i});
    must(ledger->flush());
    rig.log_end = Offset(10);
    ledger = rig.open();
    for (int i = 5; i < 10; ++i) ledger->add(0, Offset(i), {0, i + 5});
    must(ledger->flush());
    CHECK(rig.places(4) == Places{{0, 4}});
    CHECK(rig.places(5) == Places{{0, 5}, {0, 10}});
    rig.log_end = Offset(8);  // power lost with durability "flush": offsets 8 and 9 will be of other records
    ledger = rig.open();
    must(ledger->flush());
    CHECK(rig.places(7) == Places{{0, 7}, {0, 12}});
    CHECK(rig.places(8).empty());
}

TEST_CASE("delivery ledger: in a transaction a place counts when it is committed, and not when it is aborted") {
    LedgerRig rig;
    auto ledger = rig.open(true);
    for (int i = 0; i < 10; ++i) ledger->add(0, Offset(i), {0, i});
    must(ledger->flush());
    CHECK(rig.places(3).empty());
    CHECK(rig.find(3).unconfirmed->place == KafkaPlace{0, 3});
    CHECK(rig.places(3, 10) == Places{{0, 3}});  // the catalog says so
    ledger->take_back(0, Offset(0));             // aborted
    must(ledger->flush());
    CHECK(rig.places(3, 10).empty());
    for (int i = 0; i < 5; ++i) ledger->add(0, Offset(i), {0, i + 11});
    must(ledger->flush());
    ledger->finish(0, Offset(5));
    ledger->add(0, Offset(5), {0, 20});
    must(ledger->flush());
    CHECK(rig.places(3) == Places{{0, 14}});  // the block after it says so
    CHECK(rig.places(7, 6).empty());
    CHECK(rig.find(5).unconfirmed->place == KafkaPlace{0, 20});
    ledger->finish(0, Offset(6));
    CHECK(rig.places(5, 6) == Places{{0, 20}});
}

TEST_CASE("delivery ledger: a torn tail is cut, and damage costs the frames that it hits") {
    LedgerRig rig;
    auto ledger = rig.open();
    for (int i = 0; i < 30; ++i) {
        ledger->add(0, Offset(i), {0, i});
        must(ledger->flush());
    }
    ledger.reset();
    const auto path = rig.directory + "/" + rig.names().front();
    const auto size = std::filesystem::file_size(path);
    std::filesystem::resize_file(path, size - 3);
    {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(size / 2));
        file.put('\xff');
    }
    rig.log_end = Offset(30);
    ledger = rig.open();
    ledger->add(0, Offset(30), {0, 30});
    must(ledger->flush());
    CHECK(rig.places(29).empty());
    CHECK(rig.places(30) == Places{{0, 30}});
    int known = 0;
    for (int i = 0; i < 29; ++i) {
        const auto found = rig.places(i);
        known += static_cast<int>(found.size());
        if (!found.empty()) CHECK(found == Places{{0, i}});
    }
    CHECK(known == 28);
}

TEST_CASE("delivery ledger: whichever call of the disk fails, no wrong place is told, and it goes on") {
    int failed = 0;
    for (int at = 0; at < 40; ++at) {
        LedgerRig rig;
        rig.options.bytes_max = 1U << 20U;
        auto ledger = rig.open(true);
        rig.faults.fail_at = rig.faults.changes + at;
        rig.faults.error_number = ENOSPC;
        // Each transaction of ten records is aborted once, and sent again to other places.
        for (int i = 0; i < 20; ++i) {
            for (int j = 0; j < 10; ++j) ledger->add(0, Offset(i * 10 + j), {0, 1'000'000 + i});
            if (!ledger->flush()) ++failed;
            ledger->take_back(0, Offset(i * 10));
            for (int j = 0; j < 10; ++j) ledger->add(0, Offset(i * 10 + j), {0, i * 10 + j});
            if (!ledger->flush()) ++failed;
            ledger->finish(0, Offset(i * 10 + 10));
        }
        int known = 0;
        for (int i = 0; i < 200; ++i) {
            const auto found = rig.places(i, 200);
            known += static_cast<int>(found.size());
            if (!found.empty()) REQUIRE(found == Places{{0, i}});
        }
        CHECK(known >= 190);
    }
    CHECK(failed > 30);
}

TEST_CASE("delivery ledger: old files go, by age and by size; what is left tells the streams and the state") {
    LedgerRig rig;
    rig.options.bytes_max = 1U << 20U;
    rig.clock.set(SystemClock().now());
    auto ledger = rig.open();
    ledger->set_state(std::nullopt, "no broker");
    std::mt19937 random(5);
    std::int64_t offset = 0;
    for (int flushes = 0; flushes < 600; ++flushes) {
        for (int i = 0; i < 5000; ++i, ++offset) {
            ledger->add(0, Offset(offset), {static_cast<std::int32_t>(random() % 250), offset});
        }
        must(ledger->flush());
    }
    std::uintmax_t bytes = 0;
    for (const auto& name : rig.names()) bytes += std::filesystem::file_size(rig.directory + "/" + name);
    CHECK(bytes < (1U << 20U) + (192U << 10U));
    CHECK(rig.names().size() > 3);
    CHECK(rig.places(0).empty());
    CHECK(rig.find(0).known_from > Offset(0));
    CHECK(rig.places(offset - 1).size() == 1);
    CHECK(rig.find(0).cluster->why == "no broker");
    rig.clock.advance(31 * 24h);
    ledger->add(0, Offset(offset), {0, 1});
    must(ledger->flush());
    CHECK(rig.names().size() == 1);
    CHECK(rig.places(offset).size() == 1);
}

TEST_CASE("delivery ledger: a state has the time when it began, however its words change") {
    LedgerRig rig;
    auto ledger = rig.open();
    ledger->set_state(0, "");
    must(ledger->flush());
    CHECK(rig.find(0).stream->why.empty());
    rig.clock.advance(10s);
    const auto began = rig.clock.now();
    ledger->set_state(0, "no such topic");
    rig.clock.advance(10s);
    ledger->set_state(0, "no rights");
    must(ledger->flush());
    CHECK(rig.find(0).stream->why == "no rights");
    CHECK(rig.find(0).stream->since == began);
    CHECK_FALSE(rig.find(0).cluster);
}
