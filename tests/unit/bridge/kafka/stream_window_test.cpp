#include "bridge/kafka/stream_window.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>
#include <vector>

using sluice::bridge::kafka::ErrorClass;
using sluice::bridge::kafka::StreamWindow;
using sluice::storage::Offset;
using Next = StreamWindow::Next;

namespace {

std::vector<StreamWindow::Entry*> send(StreamWindow& window, std::int64_t first, std::int64_t last) {
    std::vector<StreamWindow::Entry*> sent;
    for (auto offset = first; offset <= last; ++offset) {
        REQUIRE(window.next(Offset(offset)) == Next::send);
        sent.push_back(&window.begin(Offset(offset), 10));
    }
    return sent;
}

}  // namespace

TEST_CASE("stream window: the cursor moves only past what is finished without a hole") {
    StreamWindow window(Offset(5), 0);
    const auto sent = send(window, 5, 7);
    CHECK(window.in_flight() == 3);
    CHECK(window.in_flight_bytes() == 30);
    static_cast<void>(window.delivered(*sent[1], ErrorClass::none));
    CHECK(window.cursor() == Offset(5));
    static_cast<void>(window.delivered(*sent[0], ErrorClass::none));
    CHECK(window.cursor() == Offset(7));
    static_cast<void>(window.delivered(*sent[2], ErrorClass::none));
    CHECK(window.cursor() == Offset(8));
    CHECK(window.in_flight_bytes() == 0);
}

TEST_CASE("stream window: after a failure nothing is sent until all is answered, and then only what failed") {
    StreamWindow window(Offset(0), 0);
    const auto sent = send(window, 0, 3);
    static_cast<void>(window.delivered(*sent[0], ErrorClass::none));
    static_cast<void>(window.delivered(*sent[1], ErrorClass::producer));
    CHECK(window.failed());
    CHECK_FALSE(window.may_send());
    static_cast<void>(window.delivered(*sent[2], ErrorClass::none));
    static_cast<void>(window.delivered(*sent[3], ErrorClass::producer));
    CHECK(window.rewind() == Offset(1));
    CHECK(window.may_send());
    CHECK(window.next(Offset(1)) == Next::send);
    CHECK(window.next(Offset(2)) == Next::skip);
    CHECK(window.next(Offset(3)) == Next::send);
    CHECK(window.next(Offset(4)) == Next::send);
}

TEST_CASE("stream window: a refused record is found by halving, alone, and only it is set aside") {
    constexpr std::int64_t kRecords = 100;
    const std::set<std::int64_t> refused = {17, 18, 63};
    StreamWindow window(Offset(0), 0);
    std::vector<std::int64_t> arrived;
    std::vector<std::int64_t> aside;
    int rounds = 0;
    while (window.cursor() < Offset(kRecords)) {
        REQUIRE(++rounds < 200);
        std::vector<StreamWindow::Entry*> group;
        for (auto offset = window.cursor().value(); offset < kRecords && window.may_send(); ++offset) {
            if (window.next(Offset(offset)) == Next::send) group.push_back(&window.begin(Offset(offset), 1));
        }
        // As Kafka does: one bad record fails the whole batch.
        const bool bad = std::any_of(group.begin(), group.end(),
                                     [&](const auto* entry) { return refused.contains(entry->offset.value()); });
        for (auto* entry : group) {
            const auto offset = entry->offset.value();
            if (!bad) arrived.push_back(offset);
            if (window.delivered(*entry, bad ? ErrorClass::record : ErrorClass::none)) {
                aside.push_back(offset);
                window.finish_set_aside(Offset(offset));
            }
        }
        if (window.failed()) static_cast<void>(window.rewind());
    }
    CHECK(aside == std::vector<std::int64_t>(refused.begin(), refused.end()));
    CHECK(arrived.size() == kRecords - refused.size());
    CHECK(std::is_sorted(arrived.begin(), arrived.end()));
}

TEST_CASE("stream window: a gap is passed") {
    StreamWindow window(Offset(0), 0);
    window.skip_to(Offset(10));
    CHECK(window.cursor() == Offset(10));
    const auto sent = send(window, 10, 10);
    window.skip_to(Offset(20));
    CHECK(window.cursor() == Offset(10));
    static_cast<void>(window.delivered(*sent[0], ErrorClass::none));
    CHECK(window.cursor() == Offset(20));
}

TEST_CASE("stream window: a probe sends one record, and more when it has arrived") {
    StreamWindow window(Offset(0), 0);
    window.probe();
    const auto first = send(window, 0, 0);
    CHECK_FALSE(window.may_send());
    static_cast<void>(window.delivered(*first[0], ErrorClass::none));
    CHECK(window.may_send());
    const auto more = send(window, 1, 2);
    CHECK_FALSE(window.may_send());
}

// Partitions answer on their own, batches fail whole, the producer dies: whatever happens, for each key the first
// arrivals are in order, everything arrives or is set aside, and the cursor never passes what did neither.
TEST_CASE("stream window: order and completeness through random failures") {
    constexpr int kSeeds = 300;
    constexpr std::int64_t kRecords = 200;
    constexpr std::int64_t kPartitions = 3;
    for (unsigned seed = 0; seed < kSeeds; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
        StreamWindow window(Offset(0), 0);
        std::vector<std::vector<std::int64_t>> arrived(kPartitions);
        std::set<std::int64_t> finished;
        std::vector<std::deque<StreamWindow::Entry*>> queued(kPartitions);
        std::vector<bool> dead(kPartitions);  // a gapless producer sends nothing of a partition after a failure in it
        std::int64_t reader = 0;
        std::int64_t checked = 0;
        int steps = 0;
        while (window.cursor() < Offset(kRecords)) {
            REQUIRE(++steps < 100'000);
            for (unsigned n = random() % 8; n > 0 && window.may_send() && reader < kRecords; --n, ++reader) {
                if (window.next(Offset(reader)) != Next::send) continue;
                auto& entry = window.begin(Offset(reader), 1);
                queued[static_cast<std::size_t>(reader % kPartitions)].push_back(&entry);
            }
            auto& queue = queued[random() % kPartitions];
            const auto partition = static_cast<std::size_t>(&queue - queued.data());
            auto batch = std::min<std::size_t>(queue.size(), random() % 4);
            const bool refused = std::any_of(queue.begin(), queue.begin() + static_cast<std::ptrdiff_t>(batch),
                                             [](const auto* entry) { return entry->offset.value() % 37 == 5; });
            const auto result = dead[partition]           ? ErrorClass::producer
                                : refused                 ? ErrorClass::record
                                : batch > 0 && chance(10) ? ErrorClass::producer
                                                          : ErrorClass::none;
            if (result != ErrorClass::none && batch > 0) dead[partition] = true;
            for (; batch > 0; --batch) {
                auto* entry = queue.front();
                queue.pop_front();
                const auto offset = entry->offset;
                if (result == ErrorClass::none) {
                    arrived[partition].push_back(offset.value());
                    finished.insert(offset.value());
                }
                if (window.delivered(*entry, result)) {
                    finished.insert(offset.value());
                    window.finish_set_aside(offset);
                }
            }
            for (; checked < window.cursor().value(); ++checked) REQUIRE(finished.contains(checked));
            if (window.in_flight() > 0) continue;
            if (window.failed()) reader = window.rewind().value();
            dead.assign(kPartitions, false);
        }
        CHECK(finished.size() == kRecords);
        for (const auto& partition : arrived) CHECK(std::is_sorted(partition.begin(), partition.end()));
    }
}

TEST_CASE("stream window: in a transaction that is aborted, what arrived makes no group larger, and is sent again") {
    StreamWindow window(Offset(0), 0, true);
    for (auto* entry : send(window, 0, 3)) static_cast<void>(window.delivered(*entry, ErrorClass::record));
    window.restart_at(Offset(0));
    const auto group = [&](std::int64_t first) {
        std::int64_t next = first;
        for (; window.may_send(); ++next) static_cast<void>(send(window, next, next));
        window.give_up_in_flight();
        window.restart_at(Offset(first));
        return next - first;
    };
    REQUIRE(group(0) == 2);
    for (auto* entry : send(window, 0, 1)) static_cast<void>(window.delivered(*entry, ErrorClass::none));
    window.restart_at(Offset(0));  // another part of the transaction has failed
    CHECK(window.cursor() == Offset(0));
    CHECK(group(0) == 2);
    for (auto* entry : send(window, 0, 1)) static_cast<void>(window.delivered(*entry, ErrorClass::none));
    window.committed();
    CHECK(group(2) == 4);
}
