// A server and four clients whose every move the input decides: packets right and wrong, whole and in pieces, a log
// that is slow, full or fails, lost connections, time. Nothing is acknowledged that the log has not kept, what the
// server says is packets, and one well-behaved client in their midst is served as ever.
#include "bridge/mqtt/broker.hpp"
#include "bridge/mqtt/packet_decode.hpp"
#include "tests/support/broker_parts.hpp"
#include "tests/support/test_clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

using namespace sluice;
using namespace sluice::bridge::mqtt;
using namespace std::string_literals;

namespace {

void expect(bool holds) {
    if (!holds) __builtin_trap();
}

/// The input as a row of choices; zeros when it is used up.
class Choices {
 public:
    Choices(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}
    [[nodiscard]] bool more() const { return !rest_.empty(); }
    unsigned byte() {
        if (rest_.empty()) return 0;
        const auto value = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        return value;
    }
    unsigned below(unsigned limit) { return byte() % limit; }
    std::string bytes(std::size_t count) {
        const std::string taken(rest_.substr(0, count));
        rest_.remove_prefix(taken.size());
        return taken;
    }

 private:
    std::string_view rest_;
};

std::string two(unsigned number) {
    return {static_cast<char>(number >> 8U & 0xffU), static_cast<char>(number & 0xffU)};
}

std::string text(const std::string& value) {
    return two(static_cast<unsigned>(value.size())) + value;
}

std::string packet(unsigned first, const std::string& body) {
    std::string bytes(1, static_cast<char>(first));
    auto left = body.size();
    do {
        bytes += static_cast<char>((left % 128) | (left >= 128 ? 128 : 0));
    } while ((left /= 128) > 0);
    return bytes + body;
}

std::string connect_packet(unsigned version, unsigned flags, const std::string& name, unsigned keep_alive = 60) {
    return packet(0x10, text("MQTT") + static_cast<char>(version) + static_cast<char>(flags) + two(keep_alive) +
                            (version == 5 ? "\5\x11\0\0\1\0"s : ""s) + text(name));
}

class FuzzClient final : public Transport {
 public:
    FuzzClient(Broker& broker, Peer peer) : connection(broker, *this, std::move(peer)) {}
    void wake() override {}
    void receive(const std::string& bytes) {
        pending_ += bytes;
        pending_.erase(0, connection.take(pending_));
    }
    /// What the server has said, which is whole packets.
    void look(std::array<std::uint64_t, 16>& said) {
        const auto out = std::exchange(connection.out(), {});
        for (std::string_view rest = out; !rest.empty();) {
            const auto next = next_frame(rest, 1U << 28U);
            const auto* frame = std::get_if<Frame>(&next);
            expect(frame != nullptr);
            ++said[static_cast<std::size_t>(frame->type())];
            rest.remove_prefix(frame->size);
        }
        if (!connection.is_closing()) connection.pump();
    }
    Connection connection;

 private:
    std::string pending_;
};

struct World {
    World() { broker.start(); }
    ~World() {
        for (auto& client : clients) client.reset();
        canary.reset();
        store->stop();
        log.close();
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    void settle() {
        while (!store->is_durable(store->last())) std::this_thread::yield();
        broker.drain();
        for (auto& client : clients) {
            if (!client) continue;
            client->receive({});  // what it was not read for before
            client->look(said);
            if (client->connection.is_closing()) client.reset();
        }
    }

    test::SlowLog log;
    test::OpenGate gate;
    test::TestClock clock;
    std::unique_ptr<SessionStore> store = *SessionStore::open(":memory:", [](auto&&...) {});
    Broker broker{options(), log, gate, *store, clock, [](auto&&...) {}, [] {}};
    std::array<std::unique_ptr<FuzzClient>, 4> clients;
    std::unique_ptr<FuzzClient> canary;
    std::array<unsigned, 4> versions{};
    std::array<std::uint64_t, 16> said{};  // by packet type
    std::uint64_t kept = 0;
    std::size_t next_kept = 0;
    Broker::TimePoint now = std::chrono::steady_clock::now();

    static BrokerOptions options() {
        BrokerOptions options;
        options.packet_bytes_max = 4096;
        options.queue.messages_max = 20;
        options.session_expiry_max = 1000;
        return options;
    }
};

void open_client(World& world, std::size_t which, Choices& choices) {
    world.clients[which] = std::make_unique<FuzzClient>(world.broker, Peer{"fuzz", {}, true});
    world.versions[which] = choices.below(2) == 0 ? 4 : 5;
    const auto flags = choices.below(2) == 0 ? 2U : 0U;
    const auto name = "client" + std::to_string(choices.below(3));  // so that sessions are taken over
    if (choices.below(8) > 0) world.clients[which]->receive(connect_packet(world.versions[which], flags, name));
}

/// A packet that is nearly always good.
std::string good_packet(Choices& choices, unsigned version) {
    static const std::array<std::string, 6> kTopics = {"a", "a/b", "b", "$share/g/a", "a/#", "+/b"};
    const auto properties = version == 5 ? "\0"s : ""s;
    const auto id = two(1 + choices.below(6));
    const auto& topic = kTopics[choices.below(6)];
    switch (choices.below(8)) {
        case 0:
        case 1:
        case 2: {
            const auto qos = choices.below(3);
            const auto flags =
                qos << 1U | (choices.below(4) == 0 ? 1U : 0U) | (qos > 0 && choices.below(4) == 0 ? 8U : 0U);
            return packet(0x30 | flags,
                          text(topic) + (qos > 0 ? id : "") + properties + choices.bytes(choices.below(40)));
        }
        case 3:
            return packet(0x82, id + properties + text(topic) + static_cast<char>(choices.below(3)));
        case 4:
            return packet(0xa2, id + properties + text(topic));
        case 5: {
            static constexpr std::array<unsigned, 4> kKinds = {0x40, 0x50, 0x62, 0x70};
            return packet(kKinds[choices.below(4)], id);
        }
        case 6:
            return packet(0xc0, "");
        default:
            return packet(0xe0, "");
    }
}

void step(World& world, Choices& choices) {
    const auto which = choices.below(4);
    auto& client = world.clients[which];
    switch (choices.below(10)) {
        case 0:
            open_client(world, which, choices);
            break;
        case 1:
            client.reset();
            break;
        case 2:
            if (client) client->receive(choices.bytes(1 + choices.below(30)));
            break;
        case 3:
            world.log.full = choices.below(3) == 0;
            break;
        case 4:
            world.now += std::chrono::seconds(choices.below(100));
            world.clock.advance(std::chrono::seconds(1));
            world.broker.tick(world.now);
            break;
        case 5:
            while (world.next_kept < world.log.waiting.size() && choices.below(8) > 0) {
                if (choices.below(16) == 0) {
                    world.log.fail(world.next_kept++);
                } else {
                    world.log.keep(world.next_kept++);
                    ++world.kept;
                }
            }
            break;
        default:
            if (client) client->receive(good_packet(choices, world.versions[which]));
            break;
    }
    world.settle();
    // Releases of QoS 2 are kept at once, and what was taken before is acknowledged again: PUBACK alone tells. What a
    // client may not publish is acknowledged and not kept.
    expect(world.said[static_cast<std::size_t>(PacketType::puback)] <=
           world.kept + world.broker.counters().not_authorized);
}

/// It was there before all the others.
void open_canary(World& world) {
    world.canary = std::make_unique<FuzzClient>(world.broker, Peer{"canary", {}, true});
    world.canary->receive(connect_packet(4, 2, "canary", 0) + packet(0x82, two(1) + text("canary") + "\1"s));
    world.broker.drain();  // its session is there
    world.canary->receive({});
    std::array<std::uint64_t, 16> said{};
    world.canary->look(said);
    expect(said[static_cast<std::size_t>(PacketType::suback)] == 1);
}

void look_at_canary(World& world) {
    expect(!world.canary->connection.is_closing());
    world.log.full = false;
    world.broker.drain();
    while (world.next_kept < world.log.waiting.size()) world.log.keep(world.next_kept++);
    world.broker.drain();
    std::array<std::uint64_t, 16> said{};
    world.canary->look(said);
    said = {};
    world.canary->receive(packet(0x32, text("canary") + two(9) + "x"s) + packet(0xc0, ""));
    while (world.next_kept < world.log.waiting.size()) world.log.keep(world.next_kept++);
    world.settle();
    world.canary->look(said);
    expect(said[static_cast<std::size_t>(PacketType::puback)] == 1);
    expect(said[static_cast<std::size_t>(PacketType::publish)] == 1);
    expect(said[static_cast<std::size_t>(PacketType::pingresp)] == 1);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Choices choices(data, std::min<std::size_t>(size, 1024));
    World world;
    open_canary(world);
    while (choices.more()) step(world, choices);
    look_at_canary(world);
    return 0;
}
