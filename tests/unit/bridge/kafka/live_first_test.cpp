// order = "live_first" against librdkafka's embedded cluster. It knows no isolation, so the forwarder is stopped in
// order here; kills, headers and the order in each lane, with a real Kafka: tests/system/test_uplink.py.
#include "tests/unit/bridge/kafka/gateway.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace std::chrono_literals;
using namespace sluice;
using bridge::kafka::Delivery;
using bridge::kafka::StreamTarget;
using storage::Offset;
using test::Gateway;

namespace {

constexpr Delivery kEachDelivery[] = {Delivery::at_least_once, Delivery::exactly_once};

void on_a_thin_link(Gateway& gateway, Delivery delivery, std::uint64_t rate) {
    gateway.options.delivery = delivery;
    gateway.options.transaction.interval = 50ms;
    gateway.options.compression = "none";
    gateway.options.uplink.rate = rate;
    gateway.options.uplink.burst = rate / 4;
    gateway.target.order = StreamTarget::Order::live_first;
}

void start_again(Gateway& gateway) {
    gateway.forwarder->stop(test::SteadyClock::now() + 10s);
    gateway.forwarder.reset();
    gateway.start();
}

}  // namespace

TEST_CASE("live_first: the newest records arrive while the backlog is on its way, over a restart too, and all arrive") {
    for (const auto delivery : kEachDelivery) {
        Gateway gateway;
        on_a_thin_link(gateway, delivery, 400'000);
        gateway.append(2000, 1000);  // 2 MB: 5 s and more
        gateway.start();
        gateway.read_until(300);
        gateway.append(3);
        const auto newest = [&](int number) {
            const auto deadline = test::SteadyClock::now() + 10s;
            while (!gateway.arrivals.contains(number) && test::SteadyClock::now() < deadline) gateway.read(20ms);
            return gateway.arrivals.contains(number);
        };
        REQUIRE(newest(2002));
        CHECK(gateway.arrivals.size() < 1600);
        CHECK(gateway.forwarder->status().streams.front().behind);
        CHECK(gateway.wait_until(
            [&] { return gateway.forwarder->status().streams.front().behind->live_cursor == Offset(2003); }));
        start_again(gateway);
        gateway.append(1);
        REQUIRE(newest(2003));
        CHECK(gateway.arrivals.size() < 1900);
        gateway.read_until(2004, 60s);
        CHECK(gateway.arrivals.size() == 2004);
        CHECK(gateway.duplicates() == 0);
        CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(2004); }));
        CHECK(gateway.wait_until([&] { return !gateway.forwarder->status().streams.front().behind; }));
        CHECK(gateway.forwarder->status().backlog == 0);
    }
}

TEST_CASE("live_first: exactly once, through restarts and pauses at random moments") {
    const std::uint32_t seed = std::random_device()();
    CAPTURE(seed);
    std::mt19937 random(seed);
    Gateway gateway;
    on_a_thin_link(gateway, Delivery::exactly_once, 300'000);
    gateway.append(400, 300);
    gateway.start();
    for (int round = 0; round < 8; ++round) {
        gateway.append(static_cast<int>(random() % 250), 300);
        gateway.read(std::chrono::milliseconds(random() % 400));
        if (random() % 2 == 0) {
            gateway.append(static_cast<int>(random() % 200), 300);
            start_again(gateway);
        } else {
            REQUIRE(gateway.forwarder->pause("test").has_value());
            gateway.append(static_cast<int>(random() % 200), 300);
            gateway.read(std::chrono::milliseconds(random() % 300));
            REQUIRE(gateway.forwarder->resume().has_value());
        }
    }
    gateway.read_until(static_cast<std::size_t>(gateway.appended), 60s);
    gateway.read(300ms);
    CHECK(gateway.arrivals.size() == static_cast<std::size_t>(gateway.appended));
    CHECK(gateway.duplicates() == 0);
    CHECK(gateway.wait_until([&] { return gateway.forwarder->status().backlog == 0; }));
}

TEST_CASE("live_first: who goes back to fifo in the middle sends nothing twice") {
    Gateway gateway;
    on_a_thin_link(gateway, Delivery::exactly_once, 400'000);
    gateway.append(1500, 1000);
    gateway.start();
    gateway.read_until(200);
    gateway.append(50);
    CHECK(gateway.wait_until([&] {
        const auto behind = gateway.forwarder->status().streams.front().behind;
        return behind && behind->live_cursor == Offset(1550);
    }));
    gateway.target.order = StreamTarget::Order::fifo;
    gateway.append(10);
    start_again(gateway);
    gateway.read_until(1560, 60s);
    gateway.read(300ms);
    CHECK(gateway.arrivals.size() == 1560);
    CHECK(gateway.duplicates() == 0);
    CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(1560); }));
}
