// What may have arrived before a kill: looked up in the topic, against librdkafka's embedded cluster.
#include "bridge/kafka/in_doubt.hpp"

#include "tests/unit/bridge/kafka/gateway.hpp"

#include <doctest/doctest.h>
#include <librdkafka/rdkafka.h>

using namespace std::chrono_literals;
using namespace sluice;
using bridge::kafka::OriginHeader;
using storage::Offset;
using test::Gateway;
using test::must;

namespace {

/// As after a kill: the cursor is the one that was stored long before.
void start_again_from(Gateway& gateway, std::int64_t cursor) {
    gateway.forwarder.reset();
    must(gateway.catalog->store_cursors(
        {{std::string(bridge::kafka::kForwardReader), "s", gateway.stream->id(), Offset(cursor)}}));
    gateway.start();
}

}  // namespace

TEST_CASE("in doubt: an origin header names stream, log id and offset") {
    const auto id = storage::LogId::random();
    OriginHeader header("telemetry", id);
    CHECK(header.of(Offset(0)) == "telemetry/" + id.to_string() + "/0");
    CHECK(header.of(Offset(1'234'567)) == "telemetry/" + id.to_string() + "/1234567");
    CHECK(header.of(Offset(7)) == "telemetry/" + id.to_string() + "/7");
}

TEST_CASE("in doubt: a record is the same by key, value and timestamp, and null is not empty") {
    storage::RecordView record;
    record.key = "k";
    record.value = "";
    record.timestamp = storage::Timestamp(5ms);
    Gateway gateway;
    gateway.options.origin_headers = true;
    gateway.append(1);
    gateway.start();
    gateway.read_until(1);
    const std::atomic<bool> stopping{false};
    const auto found = must(bridge::kafka::resolve(gateway.options, {"s", "t", gateway.stream->id(), Offset(0), {}},
                                                   std::chrono::milliseconds(10s), stopping));
    REQUIRE(found.complete);
    REQUIRE(found.there.contains(Offset(0)));
    storage::LogReader reader(*gateway.stream, Offset(0));
    const auto batch = must(reader.next());
    auto original = batch->records().front();
    const auto& fingerprint = found.there.at(Offset(0)).fingerprint;
    CHECK(bridge::kafka::is_same(fingerprint, original));
    CHECK_FALSE(bridge::kafka::is_same(fingerprint, record));
    auto later = original;
    later.timestamp += 1ms;
    CHECK_FALSE(bridge::kafka::is_same(fingerprint, later));
    auto tombstone = original;
    tombstone.value.reset();
    CHECK_FALSE(bridge::kafka::is_same(fingerprint, tombstone));
    const auto other_log =
        must(bridge::kafka::resolve(gateway.options, {"s", "t", storage::LogId::random(), Offset(0), {}},
                                    std::chrono::milliseconds(10s), stopping));
    CHECK(other_log.there.empty());
}

TEST_CASE("in doubt: what had arrived is not sent again, and what had not is") {
    Gateway gateway;
    gateway.options.origin_headers = true;
    gateway.start();
    gateway.append(300);
    gateway.read_until(300);
    start_again_from(gateway, 100);
    gateway.append(200);
    gateway.read_until(500);
    gateway.read(500ms);
    CHECK(gateway.arrivals.size() == 500);
    CHECK(gateway.duplicates() == 0);
    CHECK(gateway.in_order);
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(500); }));
}

TEST_CASE("in doubt: without the headers the same makes duplicates") {
    Gateway gateway;
    gateway.start();
    gateway.append(300);
    gateway.read_until(300);
    start_again_from(gateway, 100);
    CHECK(gateway.wait_until([&] {
        gateway.read(100ms);
        return gateway.duplicates() == 200;
    }));
}

TEST_CASE("in doubt: a producer that is made anew looks first, and nothing is lost") {
    Gateway gateway;
    gateway.options.origin_headers = true;
    gateway.start_with_one_request_at_a_time();
    gateway.append(10);
    gateway.read_until(10);
    for (int round = 1; round <= 3; ++round) {
        gateway.cluster->fail_produce({RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER});
        gateway.append(300);
        gateway.read_until(static_cast<std::size_t>(10 + round * 300));
    }
    gateway.read(300ms);
    CHECK(gateway.arrivals.size() == 910);
    CHECK(gateway.duplicates() == 0);
    CHECK(gateway.in_order);
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(910); }));
}
