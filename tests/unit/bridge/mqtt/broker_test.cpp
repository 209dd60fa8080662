// The server without sockets and without a log: what only a slow or full log can show. The rest of MQTT is shown by
// tests/conformance against the running agent.
#include "bridge/mqtt/broker.hpp"

#include "tests/support/broker_parts.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace sluice;
using namespace sluice::bridge::mqtt;
using test::OpenGate;
using test::SlowLog;

namespace {

using namespace std::string_literals;

std::string prefixed(std::string_view value) {
    return std::string{static_cast<char>(value.size() >> 8U), static_cast<char>(value.size() & 0xffU)}.append(value);
}

std::string broker_packet(unsigned kind, const std::string& body) {
    REQUIRE(body.size() < 128);
    return std::string{static_cast<char>(kind), static_cast<char>(body.size())} + body;
}

std::string publish(unsigned qos, unsigned id, const std::string& payload) {
    const auto packet_id = qos == 0 ? ""s : std::string{'\0', static_cast<char>(id)};
    return broker_packet(0x30U | qos << 1U, prefixed("t") + packet_id + payload);
}

const std::string kPing = "\xc0\0"s;
const std::string kPong = "\xd0\0"s;

/// A client of MQTT 3.1.1 at a broker.
class Client final : public Transport {
 public:
    Client(Broker& broker, const std::string& name) : connection(broker, *this, {"a test", {}, true}) {
        send(broker_packet(0x10, prefixed("MQTT") + "\4\2\0\x3c"s + prefixed(name)));
        broker.drain();
        CHECK(received() == "\x20\2\0\0"s);
    }
    void wake() override {}
    void send(const std::string& bytes) { CHECK(connection.take(bytes) == bytes.size()); }
    std::string received() { return std::exchange(connection.out(), {}); }

    Connection connection;
};

struct Fixture {
    Fixture() { broker.start(); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture() {
        store->stop();
        log.close();
    }

    SlowLog log;
    OpenGate gate;
    test::TestClock clock;
    test::TempDir dir;
    std::unique_ptr<SessionStore> store = test::must(SessionStore::open(dir / "sessions.db", [](auto&&...) {}));
    Broker broker{{}, log, gate, *store, clock, [](auto&&...) {}, [] {}};
};

std::string puback(int id) {
    return "\x40\2\0"s + static_cast<char>(id);
}

}  // namespace

TEST_CASE("listener: nothing is acknowledged before it is kept, and then in the order of arrival [MQTT-4.6.0-2]") {
    Fixture f;
    Client client(f.broker, "c");
    client.send(publish(1, 1, "a") + publish(1, 2, "b") + publish(1, 3, "c"));
    CHECK(client.received().empty());
    f.log.keep(2);
    f.log.keep(1);
    f.broker.drain();
    CHECK(client.received().empty());
    f.log.keep(0);
    f.broker.drain();
    CHECK(client.received() == puback(1) + puback(2) + puback(3));
}

TEST_CASE("listener: what the log has not kept is never acknowledged, nor hides what it has") {
    Fixture f;
    Client client(f.broker, "c");
    client.send(publish(1, 1, "a") + publish(1, 2, "b"));
    f.log.fail(0);
    f.log.keep(1);
    f.broker.drain();
    CHECK(client.received() == puback(2));
}

TEST_CASE("listener: pings are answered while acknowledgements wait") {
    Fixture f;
    Client client(f.broker, "c");
    client.send(publish(1, 1, "a") + kPing);
    CHECK(client.received() == kPong);
}

TEST_CASE("listener: while the log is full, messages wait in order, and beyond a bound nothing more is read") {
    Fixture f;
    Client client(f.broker, "c");
    f.log.full = true;
    int sent = 0;
    while (client.connection.wants_input() && sent < 120) {
        client.send(publish(1, static_cast<unsigned>(sent + 1), std::to_string(sent)));
        ++sent;
    }
    CHECK(sent == 100);
    CHECK(client.connection.take(kPing) == 0);  // it comes again when there is room
    CHECK(f.log.taken.empty());
    f.broker.tick(std::chrono::steady_clock::now() + std::chrono::hours(1));
    CHECK_FALSE(client.connection.is_closing());  // its silence is our fault
    f.log.full = false;
    f.broker.drain();
    CHECK(client.connection.wants_input());
    REQUIRE(f.log.taken.size() == 100);
    for (int i = 0; i < sent; ++i) CHECK(f.log.taken[static_cast<std::size_t>(i)] == std::to_string(i));
}

TEST_CASE("listener: a connection that ends before its messages are kept harms nobody") {
    Fixture f;
    {
        Client client(f.broker, "c");
        client.send(publish(1, 1, "a") + publish(2, 2, "b") + publish(0, 0, "c"));
        f.log.keep(0);
    }
    f.log.keep(1);
    f.log.keep(2);
    f.broker.drain();
    CHECK(f.broker.counters().accepted == 3);
    CHECK(f.broker.counters().connections == 0);
}

TEST_CASE("listener: a new session is confirmed when nothing of the one before it can come back") {
    Fixture f;
    f.log.slow_release = true;
    struct Mute final : Transport {
        void wake() override {}
    } transport;
    Connection connection(f.broker, transport, {"a test", {}, true});
    const auto connect = broker_packet(0x10, prefixed("MQTT") + "\4\2\0\x3c"s + prefixed("c"));
    CHECK(connection.take(connect + kPing) == connect.size());
    f.broker.drain();
    CHECK(connection.out().empty());
    f.log.keep(0);
    f.broker.drain();
    CHECK(connection.out() == "\x20\2\0\0"s);
    CHECK(connection.take(kPing) == kPing.size());
}

TEST_CASE("listener: a client that never reads the answers is not listened to beyond a bound") {
    Fixture f;
    Client client(f.broker, "c");
    std::string pings;
    for (int i = 0; i < 100'000; ++i) pings += kPing;
    std::size_t asked = 0;
    while (client.connection.wants_input() && asked < (16U << 20U)) asked += client.connection.take(pings);
    CHECK(client.connection.out().size() <= 1U << 20U);
    CHECK(client.received().size() == asked);  // and reads again once it does
    CHECK(client.connection.wants_input());
}

TEST_CASE("listener: the will of a client that is lost while the log is full is kept when there is room") {
    Fixture f;
    struct Mute final : Transport {
        void wake() override {}
    } transport;
    {
        Connection connection(f.broker, transport, {"a test", {}, true});
        const auto connect =
            broker_packet(0x10, prefixed("MQTT") + "\4\xe\0\x3c"s + prefixed("c") + prefixed("t") + prefixed("gone"));
        CHECK(connection.take(connect) == connect.size());
        f.broker.drain();
        f.log.full = true;
    }
    f.broker.tick(f.broker.now());
    CHECK(f.log.taken.empty());
    f.log.full = false;
    f.broker.tick(f.broker.now());
    f.broker.tick(f.broker.now());
    CHECK(f.log.taken == std::vector{"gone"s});
}

TEST_CASE("listener: whoever hasn't come in yet takes little memory") {
    Fixture f;
    struct Mute final : Transport {
        void wake() override {}
    } transport;
    Connection connection(f.broker, transport, {"a test", {}, true});
    CHECK(connection.take("\x10\x80\x80\x20"s) == 0);  // 512 KiB are to come
    CHECK(connection.is_closing());
}

TEST_CASE("listener: a client that doesn't count to receive_maximum waits, as its acknowledgements come late") {
    Fixture f;
    struct Mute final : Transport {
        void wake() override {}
    } transport;
    Connection connection(f.broker, transport, {"a test", {}, true});
    const auto connect = broker_packet(0x10, prefixed("MQTT") + "\5\2\0\x3c\0"s + prefixed("c"));
    CHECK(connection.take(connect) == connect.size());
    f.broker.drain();
    connection.out().clear();
    std::string burst;
    for (unsigned id = 1; id <= 25; ++id)
        burst += broker_packet(0x32, prefixed("t") + '\0' + static_cast<char>(id) + '\0' + "x");
    auto taken = connection.take(burst);
    CHECK(f.log.taken.size() == 20);
    CHECK_FALSE(connection.wants_input());
    f.log.keep(0);
    f.broker.drain();
    CHECK(connection.wants_input());
    taken += connection.take(burst.substr(taken));
    CHECK(f.log.taken.size() == 21);
    for (std::size_t i = 1; i < 21; ++i) f.log.keep(i);
    f.broker.drain();
    taken += connection.take(burst.substr(taken));
    CHECK(taken == burst.size());
    CHECK_FALSE(connection.is_closing());
}

TEST_CASE("listener: many connections are looked at in turns, all of them in five ticks") {
    Fixture f;
    struct Mute final : Transport {
        void wake() override {}
    } transport;
    std::deque<Connection> connections;
    for (int i = 0; i < 100; ++i) connections.emplace_back(f.broker, transport, Peer{"a test", {}, true});
    const auto closing = [&] {
        return std::count_if(connections.begin(), connections.end(), [](const auto& one) { return one.is_closing(); });
    };
    const auto late = f.broker.now() + std::chrono::minutes(1);  // none has said CONNECT
    f.broker.tick(late);
    CHECK(closing() > 0);
    CHECK(closing() < 30);
    for (int i = 1; i < 5; ++i) f.broker.tick(late);
    CHECK(closing() == 100);
}

TEST_CASE("listener: a client that trickles its CONNECT is not waited for") {
    Fixture f;
    struct Mute final : Transport {
        void wake() override {}
    } transport;
    Connection connection(f.broker, transport, {"a test", {}, true});
    const auto start = f.broker.now();
    for (int i = 1; i <= 12; ++i) {
        CHECK(connection.take("\x10") == 0);
        f.broker.tick(start + std::chrono::seconds(i));
    }
    CHECK(connection.is_closing());
}
