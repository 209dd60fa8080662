// The forwarder against librdkafka's embedded cluster: real sockets and protocol, and faults on command.
#include "bridge/kafka/forwarder.hpp"

#include "tests/unit/bridge/kafka/gateway.hpp"

#include <doctest/doctest.h>
#include <librdkafka/rdkafka.h>

using namespace std::chrono_literals;
using namespace sluice;
using storage::Offset;
using test::Gateway;
using test::must;
using SteadyClock = std::chrono::steady_clock;

TEST_CASE("forwarder: all records arrive, in order for each key, once") {
    Gateway gateway;
    gateway.append(500);
    gateway.start();
    gateway.append(500);
    gateway.read_until(1000);
    CHECK(gateway.arrivals.size() == 1000);
    CHECK(gateway.duplicates() == 0);
    CHECK(gateway.in_order);
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(1000); }));
    const auto status = gateway.forwarder->status().streams.front();
    CHECK(status.backlog == 0);
    CHECK(status.forwarded_bytes == 2890 + (1000 * 6));  // the digits of 0 to 999, a space and the key
}

TEST_CASE("forwarder: a cluster that goes away is waited for, said once, and gets everything when it is back") {
    Gateway gateway;
    gateway.start();
    gateway.append(100);
    gateway.read_until(100);
    gateway.cluster->take_away();
    gateway.append(1000);
    CHECK(gateway.wait_until([&] { return gateway.times_said("no broker of") == 1; }));
    CHECK_FALSE(gateway.forwarder->status().connected);
    gateway.cluster->bring_back();
    gateway.read_until(1100);
    CHECK(gateway.arrivals.size() == 1100);
    CHECK(gateway.in_order);
    CHECK(gateway.times_said("no broker of") == 1);
}

TEST_CASE("forwarder: a cluster that stays away is said again, with the cause, and its end without anything to send") {
    Gateway gateway;
    gateway.options.reminder = 500ms;
    gateway.cluster->take_away();
    gateway.append(1);  // the topic is looked for at once
    gateway.start();
    CHECK(gateway.wait_until([&] { return gateway.times_said("no broker of") >= 2; }));
    CHECK(gateway.times_said("no broker of") == gateway.times_said("Connection refused"));
    gateway.cluster->bring_back();
    gateway.read_until(1);
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(1); }));
    gateway.cluster->take_away();
    CHECK(gateway.wait_until([&] { return !gateway.forwarder->status().connected; }));
    gateway.cluster->bring_back();
    CHECK(gateway.wait_until([&] { return gateway.forwarder->status().connected; }));
}

TEST_CASE("forwarder: after a stop it goes on where it was, without duplicates") {
    Gateway gateway;
    gateway.start();
    gateway.append(200);
    gateway.read_until(200);
    gateway.forwarder->stop(SteadyClock::now() + 5s);
    gateway.forwarder.reset();
    gateway.append(200);
    gateway.start();
    gateway.read_until(400);
    gateway.read(300ms);
    CHECK(gateway.arrivals.size() == 400);
    CHECK(gateway.duplicates() == 0);
    CHECK(gateway.in_order);
}

TEST_CASE("forwarder: a stop without a cluster ends at its deadline, and loses nothing") {
    Gateway gateway;
    gateway.start();
    gateway.cluster->take_away();
    gateway.append(100);
    std::this_thread::sleep_for(200ms);
    const auto start = SteadyClock::now();
    gateway.forwarder->stop(SteadyClock::now() + 300ms);
    CHECK(SteadyClock::now() - start < 4s);
    gateway.forwarder.reset();
    gateway.cluster->bring_back();
    gateway.start();
    gateway.read_until(100);
    CHECK(gateway.arrivals.size() == 100);
    CHECK(gateway.in_order);
}

TEST_CASE("forwarder: no more than inflight_bytes are handed over, whatever the backlog") {
    Gateway gateway;
    gateway.options.inflight_bytes = 50'000;
    gateway.start();
    gateway.append(1);
    gateway.read_until(1);
    gateway.cluster->take_away();
    gateway.append(1000, 1000);
    CHECK(gateway.wait_until([&] { return gateway.forwarder->status().in_flight_bytes > 25'000; }, 60s));
    std::size_t most = 0;
    for (int i = 0; i < 50; ++i) {
        most = std::max(most, gateway.forwarder->status().in_flight_bytes);
        std::this_thread::sleep_for(10ms);
    }
    CHECK(most <= 50'000);
    gateway.cluster->bring_back();
    gateway.read_until(1001);
    CHECK(gateway.arrivals.size() == 1001);
}

TEST_CASE("forwarder: errors that pass by themselves are retried in order") {
    Gateway gateway;
    gateway.start_with_one_request_at_a_time();
    gateway.append(10);
    gateway.read_until(10);
    gateway.cluster->fail_produce({RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                                   RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION});
    gateway.append(300);
    gateway.read_until(310);
    CHECK(gateway.arrivals.size() == 310);
    CHECK(gateway.in_order);
}

TEST_CASE("forwarder: a producer that turns fatal is made anew, and nothing is lost or out of order") {
    Gateway gateway;
    gateway.start_with_one_request_at_a_time();
    gateway.append(10);
    gateway.read_until(10);
    gateway.cluster->fail_produce({RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER});
    gateway.append(300);
    gateway.read_until(310);
    CHECK(gateway.arrivals.size() == 310);
    CHECK(gateway.in_order);
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(310); }));
}

TEST_CASE("forwarder: an error of the topic holds the stream until it is mended") {
    Gateway gateway;
    gateway.start_with_one_request_at_a_time();
    gateway.append(10);
    gateway.read_until(10);
    gateway.cluster->fail_produce(
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
    gateway.append(100);
    gateway.read_until(110);
    CHECK(gateway.arrivals.size() == 110);
    CHECK(gateway.in_order);
    CHECK(gateway.times_said("not allowed to use topic t") == 1);
}

TEST_CASE("forwarder: a record above message.max.bytes goes to the dead letters, and those after it arrive") {
    Gateway gateway;
    gateway.options.properties["message.max.bytes"] = "10000";
    gateway.start();
    gateway.append(5);
    gateway.append(1, 20'000);
    gateway.append(5);
    gateway.read_until(10);
    CHECK(gateway.arrivals.size() == 10);
    CHECK(gateway.arrivals.count(5) == 0);
    CHECK(gateway.wait_until([&] { return gateway.dead_letters->high_watermark() == Offset(1); }));
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(11); }));
    storage::LogReader reader(*gateway.dead_letters, Offset(0));
    const auto batch = must(reader.next());
    REQUIRE(batch);
    CHECK(batch->records().front().value->size() > 20'000);
    CHECK(find_header(batch->records().front(), "sluice.stream") == "s");
}

TEST_CASE("forwarder: a record that the cluster refuses is found in its batch and set aside alone") {
    Gateway gateway;
    gateway.start_with_one_request_at_a_time();
    gateway.append(1);
    gateway.read_until(1);
    // Each refusal fails a whole batch; halving ends with one record alone, which is the one that is blamed.
    gateway.cluster->fail_produce(std::vector<int>(20, RD_KAFKA_RESP_ERR_INVALID_RECORD));
    gateway.append(100);
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(101); }, 120s));
    const auto aside = static_cast<std::size_t>(gateway.dead_letters->high_watermark().value());
    CHECK(aside >= 1);
    CHECK(aside <= 20);
    gateway.read_until(101 - aside);
    CHECK(gateway.arrivals.size() == 101 - aside);
    CHECK(gateway.in_order);
}

TEST_CASE("forwarder: an outage is told when it begins and when it ends, with what waits") {
    Gateway gateway;
    gateway.start();
    gateway.append(10);
    gateway.read_until(10);
    gateway.cluster->take_away();
    CHECK(gateway.wait_until([&] { return gateway.outages().size() == 1; }));
    CHECK_FALSE(gateway.outages()[0].over);
    CHECK(gateway.outages()[0].outage.reason.find("no broker of") != std::string::npos);
    CHECK(gateway.forwarder->status().outage);
    gateway.append(500);
    CHECK(gateway.wait_until([&] { return gateway.forwarder->status().backlog == 500; }));
    gateway.cluster->bring_back();
    CHECK(gateway.wait_until([&] { return gateway.outages().size() == 2; }));
    CHECK(gateway.outages()[1].over);
    CHECK(gateway.outages()[1].lasted > 0ms);
    CHECK(gateway.outages()[1].outage.reason == gateway.outages()[0].outage.reason);
    gateway.read_until(510);
    CHECK(gateway.wait_until([&] { return !gateway.forwarder->status().outage; }));
    // Rates are taken once a second.
    CHECK(
        gateway.wait_until([&] { return gateway.forwarder->status().rates.drain_time == bridge::kafka::Seconds(0); }));
}
