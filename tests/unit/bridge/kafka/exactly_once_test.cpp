// Transactions against librdkafka's embedded cluster. It knows no isolation: a consumer sees what was aborted too, so
// what only a real cluster can show is in tests/system/test_exactly_once.py.
#include "bridge/kafka/position.hpp"
#include "bridge/kafka/producer.hpp"
#include "tests/unit/bridge/kafka/gateway.hpp"

#include <doctest/doctest.h>
#include <librdkafka/rdkafka.h>

using namespace std::chrono_literals;
using namespace sluice;
using storage::Offset;
using test::Gateway;
using test::must;
using SteadyClock = std::chrono::steady_clock;

namespace {

struct ExactlyOnce : Gateway {
    ExactlyOnce() {
        options.delivery = bridge::kafka::Delivery::exactly_once;
        options.transaction.interval = 50ms;
    }
    bridge::kafka::Positions positions() {
        const std::atomic<bool> stopping{false};
        return must(bridge::kafka::read_positions(options, 10s, stopping));
    }
    Offset position() {
        const auto found = positions();
        const auto mine = found.of.find(bridge::kafka::position_key("test", "s", stream->id()));
        REQUIRE(mine != found.of.end());
        return mine->second.next;
    }
};

}  // namespace

TEST_CASE("exactly-once: the position in Kafka, the cursor and what a consumer sees agree") {
    ExactlyOnce gateway;
    gateway.append(500);
    gateway.start();
    gateway.append(500);
    gateway.read_until(1000);
    CHECK(gateway.duplicates() == 0);
    CHECK(gateway.in_order);
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(1000); }));
    CHECK(gateway.position() == Offset(1000));
    CHECK(gateway.forwarder->status().streams.front().forwarded == 1000);
}

TEST_CASE("exactly-once: goes on from the position in Kafka when the catalog is gone") {
    ExactlyOnce gateway;
    gateway.append(300);
    gateway.start();
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(300); }));
    gateway.forwarder.reset();
    gateway.catalog = must(storage::Catalog::open(gateway.dir / "data/another.db"));
    gateway.append(100);
    gateway.start();
    gateway.read_until(400);
    gateway.read(300ms);
    CHECK(gateway.arrivals.size() == 400);
    CHECK(gateway.duplicates() == 0);
}

TEST_CASE("exactly-once: takes over the cursor of at-least-once delivery") {
    ExactlyOnce gateway;
    gateway.options.delivery = bridge::kafka::Delivery::at_least_once;
    gateway.append(100);
    gateway.start();
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(100); }));
    gateway.forwarder->stop(SteadyClock::now() + 5s);
    gateway.forwarder.reset();
    gateway.options.delivery = bridge::kafka::Delivery::exactly_once;
    gateway.append(100);
    gateway.start();
    gateway.read_until(200);
    gateway.read(300ms);
    CHECK(gateway.arrivals.size() == 200);
    CHECK(gateway.duplicates() == 0);
}

TEST_CASE("exactly-once: a position beyond the log's end at the start hides no record that came after it") {
    for (const bool offline_first : {false, true}) {
        ExactlyOnce gateway;
        gateway.append(100);
        {
            const auto producer = must(bridge::kafka::make_idempotent_producer(
                [&] {
                    auto options = gateway.options;
                    options.delivery = bridge::kafka::Delivery::at_least_once;
                    return options;
                }(),
                [](bridge::Severity, std::string_view, const std::string&) {}));
            const auto key = bridge::kafka::position_key("test", "s", gateway.stream->id());
            const auto value = bridge::kafka::position_value({Offset(500), {}});  // of records that the log has lost
            storage::RecordView record;
            record.key = key;
            record.value = value;
            bool delivered = false;
            CHECK(producer->send(gateway.options.position_topic, record, nullptr) == bridge::kafka::Sent::queued);
            CHECK(gateway.wait_until([&] {
                producer->poll(
                    10ms, {[&](void*, int, storage::KafkaPlace) { delivered = true; }, [](int, const std::string&) {}});
                return delivered;
            }));
        }
        if (offline_first) {  // a start without the cluster, in which the log grows beyond the position
            gateway.cluster->take_away();
            gateway.start();
            gateway.append(500);
            gateway.forwarder.reset();
            gateway.cluster->bring_back();
        }
        gateway.start();
        gateway.append(500);
        const std::size_t after = offline_first ? 1000 : 500;
        gateway.read_until(after);
        CHECK(gateway.arrivals.size() == after);
        CHECK(gateway.arrivals.begin()->first == 100);
        CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(100 + static_cast<std::int64_t>(after)); }));
        CHECK(gateway.position() == gateway.cursor());
        CHECK(gateway.times_said("the log ended before what was forwarded") == 1);
    }
}

TEST_CASE("exactly-once: a cluster that goes away is waited for, and gets everything when it is back") {
    ExactlyOnce gateway;
    gateway.start();
    gateway.append(100);
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(100); }));
    gateway.cluster->take_away();
    gateway.append(1000);
    CHECK(gateway.wait_until([&] { return gateway.times_said("no broker of") == 1; }));
    gateway.cluster->bring_back();
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(1100); }, 60s));
    CHECK(gateway.position() == Offset(1100));
    gateway.read_until(1100);
    CHECK(gateway.in_order);
}

TEST_CASE("exactly-once: a stop commits what was sent") {
    ExactlyOnce gateway;
    gateway.options.transaction.interval = 20s;
    gateway.start();
    gateway.append(10);
    gateway.read_until(10);
    gateway.forwarder->stop(SteadyClock::now() + 5s);
    CHECK(gateway.position() == Offset(10));
}

TEST_CASE("exactly-once: a record above message.max.bytes goes to the dead letters, and those after it arrive") {
    ExactlyOnce gateway;
    gateway.options.properties["message.max.bytes"] = "10000";
    gateway.start();
    gateway.append(5);
    gateway.append(1, 20'000);
    gateway.append(5);
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(11); }));
    CHECK(gateway.dead_letters->high_watermark() == Offset(1));
    CHECK(gateway.position() == Offset(11));
    gateway.read_until(10);
    CHECK(gateway.arrivals.count(5) == 0);
}

TEST_CASE("exactly-once: a refused record is found through aborted transactions, and set aside once") {
    ExactlyOnce gateway;
    gateway.options.properties["max.in.flight.requests.per.connection"] = "1";
    gateway.start();
    gateway.append(1);
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(1); }));
    gateway.cluster->fail_produce(std::vector<int>(20, RD_KAFKA_RESP_ERR_INVALID_RECORD));
    gateway.append(100);
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(101); }, 120s));
    const auto aside = static_cast<std::uint64_t>(gateway.dead_letters->high_watermark().value());
    CHECK(aside >= 1);
    CHECK(aside <= 20);
    const auto status = gateway.forwarder->status().streams.front();
    CHECK(status.forwarded == 101 - aside);
    CHECK(status.dead_lettered == aside);
    CHECK(gateway.position() == Offset(101));
}

TEST_CASE("exactly-once: an error of the topic holds the stream until it is mended") {
    ExactlyOnce gateway;
    gateway.start();
    gateway.append(10);
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(10); }));
    gateway.cluster->fail_produce({RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
    gateway.append(100);
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(110); }, 60s));
    CHECK(gateway.times_said("not allowed to use topic t") == 1);
}

TEST_CASE("position: what is written is read, and nothing else is taken for a position") {
    using bridge::kafka::parse_claim;
    using bridge::kafka::parse_position;
    const bridge::kafka::Progress plain{Offset(12345), {}};
    CHECK(bridge::kafka::position_value(plain) == R"({"version":1,"next_offset":12345})");
    CHECK(parse_position(bridge::kafka::position_value(plain)) == plain);
    const bridge::kafka::Progress split{Offset(7), {{Offset(10), Offset(20)}, {Offset(30), Offset(31)}}};
    CHECK(bridge::kafka::position_value(split) == R"({"version":2,"next_offset":7,"finished":[[10,20],[30,31]]})");
    CHECK(parse_position(bridge::kafka::position_value(split)) == split);
    for (const auto* text : {"", "{}", "12", "{\"next_offset\":-1}", "{\"next_offset\":\"7\"}", "{\"next_offset\":1.5}",
                             "{\"next_offset\":7", "[7]", R"({"next_offset":7,"finished":[[9]]})",
                             R"({"next_offset":7,"finished":[[9,9]]})", R"({"next_offset":7,"finished":[9]})"}) {
        CHECK_FALSE(parse_position(text));
    }
    const bridge::kafka::Claim claim{"an-instance", "gateway-17"};
    CHECK(parse_claim(bridge::kafka::claim_value(claim)) == claim);
    CHECK(parse_claim(bridge::kafka::claim_value({"an-instance", "gate\"way\n-\\17"})) == claim);
    CHECK_FALSE(parse_claim("no"));
}
