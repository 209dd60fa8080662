// Pause, windows and rate against librdkafka's embedded cluster.
#include "tests/unit/bridge/kafka/gateway.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace sluice;
using bridge::kafka::Delivery;
using bridge::kafka::UplinkState;
using storage::Offset;
using test::Gateway;
using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr Delivery kBoth[] = {Delivery::at_least_once, Delivery::exactly_once};

void restart(Gateway& gateway) {
    gateway.forwarder.reset();  // at once, as if it were killed
    gateway.start();
}

/// From now on in UTC: closed in this hour, or open in it alone.
bridge::kafka::UplinkWindows window(bool open) {
    const auto hour = static_cast<int>(
        std::chrono::duration_cast<std::chrono::hours>(std::chrono::system_clock::now().time_since_epoch()) % 24h / 1h);
    const auto begin = std::chrono::hours((hour + (open ? 23 : 12)) % 24);
    const auto end = std::chrono::hours((hour + (open ? 2 : 14)) % 24);
    return {{{begin, end}}, bridge::kafka::WindowClock::utc};
}

}  // namespace

TEST_CASE("forwarder: a paused uplink sends nothing, over restarts too, and all arrives once it is resumed") {
    for (const auto delivery : kBoth) {
        Gateway gateway;
        gateway.options.delivery = delivery;
        gateway.options.transaction.interval = 50ms;
        gateway.start();
        gateway.append(100);
        gateway.read_until(100);
        REQUIRE(gateway.forwarder->pause("roaming").has_value());
        CHECK(gateway.forwarder->status().uplink.state == UplinkState::paused);
        CHECK(gateway.forwarder->status().uplink.why == "roaming");
        CHECK(gateway.wait_until([&] { return gateway.cursor() == Offset(100); }));  // a transaction is closed
        std::this_thread::sleep_for(200ms);                                          // until the thread has seen it
        gateway.append(100);
        restart(gateway);
        gateway.read(500ms);
        gateway.read(500ms);
        CHECK(gateway.arrivals.size() == 100);
        CHECK(gateway.cursor() == Offset(100));
        REQUIRE(gateway.forwarder->resume().has_value());
        gateway.read_until(200);
        CHECK(gateway.arrivals.size() == 200);
        CHECK(gateway.duplicates() == 0);
        CHECK(gateway.in_order);
    }
}

TEST_CASE("forwarder: outside of its windows nothing is sent") {
    Gateway gateway;
    gateway.options.uplink.windows = window(false);
    gateway.start();
    gateway.append(10);
    gateway.read(500ms);
    gateway.read(500ms);
    CHECK(gateway.arrivals.empty());
    const auto status = gateway.forwarder->status();
    CHECK(status.uplink.state == UplinkState::outside_windows);
    CHECK(status.uplink.opens_at);
    CHECK(status.backlog == 10);
    gateway.options.uplink.windows = window(true);
    restart(gateway);
    gateway.read_until(10);
    CHECK(gateway.arrivals.size() == 10);
}

TEST_CASE("forwarder: the rate holds for what goes over the wire") {
    for (const auto delivery : kBoth) {
        Gateway gateway;
        gateway.options.delivery = delivery;
        gateway.options.transaction.interval = 200ms;
        gateway.options.compression = "none";
        constexpr std::uint64_t kRate = 100'000;
        gateway.options.uplink.rate = kRate;
        gateway.append(900, 1000);  // 900 KB: 7 s beyond the burst
        const auto begin = SteadyClock::now();
        gateway.start();
        gateway.read_until(900, 60s);
        const std::chrono::duration<double> took = SteadyClock::now() - begin;
        CHECK(gateway.arrivals.size() == 900);
        CHECK(gateway.duplicates() == 0);
        const auto wire = static_cast<double>(gateway.forwarder->status().uplink.wire_bytes);
        CHECK(wire > 600'000);  // the statistics come once a second
        const auto rate = (wire - 2.0 * kRate) / took.count();
        CHECK(rate < 1.15 * kRate);
        CHECK(rate > 0.4 * kRate);
    }
}
