// QoS 2 across kills: what is on disk at any moment decides, so a "kill" here opens a copy of the directory as it is.
#include "bridge/mqtt/qos2_state.hpp"

#include "bridge/mqtt/ingest.hpp"
#include "storage/clock.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <future>
#include <map>
#include <random>
#include <set>

using namespace sluice;
using bridge::mqtt::Ingest;
using bridge::mqtt::Qos2State;
using storage::Offset;
using test::must;

namespace {

/// The parts of an agent that take messages, on a directory.
class Receiver {
 public:
    explicit Receiver(
        const std::string& data_dir, bridge::Report report = [](auto&&...) {}, storage::GapReport on_gap = {},
        std::uint64_t quota = UINT64_MAX, bool all_count = false) {
        logs_ = must(storage::LogDir::open(files_, clock_, data_dir, std::move(on_gap), quota));
        storage::LogOptions options;
        options.durability = storage::Durability::flush;  // kills, not power cuts
        must(logs_->open_stream(bridge::mqtt::kInboundStream, options));
        options.counts_to_quota = all_count;
        for (const auto* name : {"a", "b", "dead"}) must(logs_->open_stream(name, options));
        for (auto* log : logs_->streams()) log->hold_from(Offset(0));
        commit_ =
            std::make_unique<storage::GroupCommit>(storage::GroupCommitOptions{}, storage::GroupCommit::Observer{});
        qos2 = must(Qos2State::recover(*logs_, *commit_));
        bridge::RouteOptions to_a;
        to_a.topic = "a";
        to_a.stream = "a";
        bridge::RouteOptions to_b;
        to_b.topic = "b";
        to_b.stream = "b";
        auto routes = bridge::TopicMap::create({to_a, to_b});
        ingest = std::make_unique<Ingest>(std::get<bridge::TopicMap>(std::move(routes)), *logs_, *commit_, *qos2,
                                          "dead", clock_, std::move(report));
    }
    ~Receiver() { commit_->stop(); }
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

    [[nodiscard]] Offset held_from(const std::string& stream) const { return logs_->find(stream)->hold_from(); }

    void publish(const std::string& topic, const std::string& payload, std::optional<std::uint16_t> packet_id) {
        bridge::Message message;
        message.topic = topic;
        message.payload = payload;
        message.qos = packet_id ? 2 : 1;
        ingest->accept("broker", std::move(message), packet_id);
    }
    /// The kill comes before its record is on the disk.
    void begin_accept_of_what_is_never_kept() { (void)qos2->begin_accept("broker", 9, 1, *logs_->find("b")); }
    [[nodiscard]] std::vector<std::string> values(const std::string& stream) const {
        std::vector<std::string> values;
        storage::LogReader reader(*logs_->find(stream), Offset(0));
        while (auto batch = must(reader.next())) {
            for (const auto& record : batch->records()) values.emplace_back(*record.value);
        }
        return values;
    }
    [[nodiscard]] std::map<std::string, std::string> headers_of_first(const std::string& stream) const {
        storage::LogReader reader(*logs_->find(stream), Offset(0));
        const auto batch = must(reader.next());
        REQUIRE(batch);
        std::map<std::string, std::string> headers;
        for (const auto& header : batch->records().front().headers)
            headers.emplace(header.key, header.value.value_or(""));
        return headers;
    }

 private:
    storage::PosixFileSystem files_;
    storage::SystemClock clock_;
    std::unique_ptr<storage::LogDir> logs_;
    std::unique_ptr<storage::GroupCommit> commit_;

 public:
    std::unique_ptr<Qos2State> qos2;
    std::unique_ptr<Ingest> ingest;
};

using Values = std::vector<std::string>;

/// What a kill at this moment leaves: a copy of the files.
std::string killed_copy(const std::string& from, const test::TempDir& dir, int number) {
    auto to = dir / ("copy-" + std::to_string(number));
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
    return to;
}

}  // namespace

TEST_CASE("qos 2: a message that comes again before its release is accepted once") {
    const test::TempDir dir;
    Receiver receiver(dir / "data");
    receiver.publish("a", "1", 7);
    receiver.publish("a", "1", 7);
    CHECK(receiver.values("a") == Values{"1"});
    CHECK(receiver.ingest->counters().duplicates == 1);
    receiver.ingest->release("broker", 7);
    receiver.publish("a", "2", 7);
    CHECK(receiver.values("a") == Values{"1", "2"});
}

TEST_CASE("qos 2: a restart knows what was not released") {
    const test::TempDir dir;
    {
        Receiver receiver(dir / "data");
        receiver.publish("a", "1", 1);
        receiver.publish("b", "2", 2);
        receiver.publish("nowhere", "3", 3);
        receiver.ingest->release("broker", 2);
    }
    Receiver receiver(dir / "data");
    CHECK(receiver.ingest->unreleased("broker") == std::vector<std::uint16_t>{1, 3});
    receiver.publish("a", "1", 1);
    receiver.publish("nowhere", "3", 3);
    receiver.publish("b", "new", 2);
    CHECK(receiver.values("a") == Values{"1"});
    CHECK(receiver.values("dead") == Values{"3"});
    CHECK(receiver.values("b") == Values{"2", "new"});
}

TEST_CASE("qos 2: an end of the session frees all identifiers, across a restart too") {
    const test::TempDir dir;
    {
        Receiver receiver(dir / "data");
        receiver.publish("a", "1", 1);
        receiver.ingest->release_all("broker");
    }
    Receiver receiver(dir / "data");
    CHECK(receiver.ingest->unreleased("broker").empty());
    receiver.publish("a", "2", 1);
    CHECK(receiver.values("a") == Values{"1", "2"});
}

TEST_CASE("qos 2: another message with an identifier that was not released is new, over kills and state records too") {
    const test::TempDir dir;
    int warnings = 0;
    const auto report = [&](bridge::Severity, auto&&, const std::string& what, auto&&...) {
        warnings += what.find("has lost its state") != std::string::npos ? 1 : 0;
    };
    {
        Receiver receiver(dir / "data", report);
        for (const auto* payload : {"A", "A", "B", "B", "C"}) receiver.publish("a", payload, 1);
        CHECK(receiver.values("a") == std::vector<std::string>{"A", "B", "C"});
        CHECK(receiver.ingest->counters().duplicates == 2);
        CHECK(warnings == 1);  // once for a sender
        receiver.publish("b", "C", 1);
        CHECK(receiver.values("b") == std::vector<std::string>{"C"});
        receiver.publish("a", "kept", 2);
    }
    SUBCASE("after a kill") {}
    SUBCASE("after a state record") {
        Receiver receiver(dir / "data");
        must(receiver.qos2->checkpoint(std::chrono::steady_clock::now() + std::chrono::seconds(10)));
    }
    Receiver receiver(dir / "data");
    receiver.publish("b", "C", 1);
    receiver.publish("a", "kept", 2);
    CHECK(receiver.ingest->counters().duplicates == 2);
    receiver.publish("a", "D", 1);
    CHECK(receiver.values("a") == std::vector<std::string>{"A", "B", "C", "kept", "D"});
    bridge::Message message;
    message.topic = "a";
    message.payload = "E";
    message.qos = 2;
    std::promise<bool> answered;
    const auto taken = receiver.ingest->try_accept("broker", message, 2,
                                                   [&](const auto& result) { answered.set_value(result.has_value()); });
    CHECK(taken == Ingest::Taken::replacing);
    CHECK(answered.get_future().get());
    std::promise<bool> again;
    CHECK(receiver.ingest->try_accept("broker", message, 2, [&](const auto& result) {
        again.set_value(result.has_value());
    }) == Ingest::Taken::duplicate);
    CHECK(again.get_future().get());
    receiver.ingest->release("broker", 1);
    receiver.ingest->release("broker", 2);
    CHECK(receiver.ingest->unreleased("broker").empty());
}

TEST_CASE("qos 2: sources don't share identifiers, and their names may hold spaces") {
    const test::TempDir dir;
    {
        Receiver receiver(dir / "data");
        bridge::Message message;
        message.topic = "a";
        receiver.ingest->accept("line 7 broker", message, 5);
        CHECK_FALSE(receiver.ingest->is_accepted("broker", 5));
    }
    const Receiver receiver(dir / "data");
    CHECK(receiver.ingest->is_accepted("line 7 broker", 5));
}

TEST_CASE("qos 2: runs of many identifiers survive a restart") {
    const test::TempDir dir;
    std::vector<std::uint16_t> kept;
    {
        Receiver receiver(dir / "data");
        for (std::uint16_t id = 1; id <= 300; ++id) receiver.publish("a", std::to_string(id), id);
        receiver.publish("a", "last", 65535);
        for (std::uint16_t id = 50; id <= 300; id = static_cast<std::uint16_t>(id + 50)) {
            receiver.ingest->release("broker", id);
        }
        for (std::uint16_t id = 1; id <= 300; ++id) {
            if (id % 50 != 0) kept.push_back(id);
        }
        kept.push_back(65535);
    }
    const Receiver receiver(dir / "data");
    CHECK(receiver.ingest->unreleased("broker") == kept);
}

TEST_CASE("qos 2: a device can't fake the header that a packet identifier travels in") {
    const test::TempDir dir;
    {
        Receiver receiver(dir / "data");
        bridge::Message message;
        message.topic = "a";
        message.user_properties = {{"sluice.internal.qos2", "99 4 broker"}};
        receiver.ingest->accept("broker", message, std::nullopt);
    }
    const Receiver receiver(dir / "data");
    CHECK_FALSE(receiver.ingest->is_accepted("broker", 4));
}

// A broker with a window of identifiers that it uses again as soon as they are free, and a receiver that is killed
// after random steps: each message is in the log exactly once.
TEST_CASE("qos 2: exactly once into the log through kills at any step") {
    for (unsigned seed = 0; seed < 15; ++seed) {
        CAPTURE(seed);
        const test::TempDir dir;
        std::mt19937 random(seed);
        int copies = 0;
        auto data = dir / "data";
        auto receiver = std::make_unique<Receiver>(data);
        constexpr std::size_t kMessages = 60;
        struct Outgoing {
            std::uint16_t id;
            std::size_t number;
            bool received;  // PUBREC came back
        };
        std::vector<Outgoing> window;
        std::size_t next = 0;
        while (next < kMessages || !window.empty()) {
            if (next < kMessages && window.size() < 4 && random() % 2 == 0) {
                std::uint16_t id = 1;
                while (std::any_of(window.begin(), window.end(), [&](const auto& m) { return m.id == id; })) ++id;
                window.push_back({id, next++, false});
            } else if (!window.empty()) {
                auto& message = window[random() % window.size()];
                const bool answered = random() % 4 != 0;  // else the connection breaks before the answer
                if (!message.received) {
                    receiver->publish(message.number % 2 == 0 ? "a" : "b", std::to_string(message.number), message.id);
                    if (answered) message.received = true;
                } else {
                    receiver->ingest->release("broker", message.id);
                    if (answered) window.erase(window.begin() + (&message - window.data()));
                }
            }
            if (random() % 10 == 0) {
                data = killed_copy(data, dir, copies++);
                receiver = std::make_unique<Receiver>(data);
            }
        }
        std::multiset<std::string> arrived;
        for (const auto* stream : {"a", "b"}) {
            for (const auto& value : receiver->values(stream)) arrived.insert(value);
        }
        CHECK(arrived.size() == kMessages);
        CHECK(std::set<std::string>(arrived.begin(), arrived.end()).size() == kMessages);
        CHECK(receiver->ingest->unreleased("broker").empty());
    }
}

/// No space for the agent's own notes, while the streams have some: what is accepted has to be safe all the same.
std::unique_ptr<Receiver> without_space_for_notes(const std::string& data_dir) {
    return std::make_unique<Receiver>(
        data_dir, [](auto&&...) {}, storage::GapReport(), 1);
}

TEST_CASE("qos 2: a start on a full disk waits for no space, and a stop neither") {
    const test::TempDir dir;
    {
        Receiver receiver(dir / "data");
        receiver.publish("a", "1", 1);
    }
    auto receiver = without_space_for_notes(dir / "data");  // returns
    receiver->publish("a", "1", 1);
    receiver->publish("a", "2", 2);
    CHECK(receiver->values("a") == Values{"1", "2"});
    const auto now = std::chrono::steady_clock::now();
    const auto done = receiver->qos2->checkpoint(now + std::chrono::hours(1));
    REQUIRE(!done);
    CHECK(done.error().kind() == storage::Errc::no_space);
    receiver.reset();
    CHECK(Receiver(dir / "data").ingest->unreleased("broker") == std::vector<std::uint16_t>{1, 2});
}

TEST_CASE("qos 2: after a start on a full disk, old records may be deleted where no identifier needs them") {
    const test::TempDir dir;
    {
        Receiver receiver(dir / "data");
        receiver.publish("a", "1", {});
        receiver.publish("b", "1", 1);
        receiver.ingest->release("broker", 1);
    }
    auto receiver = without_space_for_notes(dir / "data");
    CHECK(receiver->held_from("a") == Offset(1));
    receiver->publish("b", "2", 2);
    receiver.reset();
    receiver = without_space_for_notes(dir / "data");
    CHECK(receiver->held_from("b") <= Offset(1));  // its record tells of the identifier
}

TEST_CASE("qos 2: a release is not of what is accepted after it, also where no state record could be written between") {
    const test::TempDir dir;
    auto receiver = std::make_unique<Receiver>(dir / "data");
    receiver->publish("a", "1", 1);
    receiver->begin_accept_of_what_is_never_kept();
    receiver->ingest->release("broker", 1);  // it names the number of that
    const auto copy = killed_copy(dir / "data", dir, 0);
    receiver = without_space_for_notes(copy);
    receiver->publish("a", "2", 1);
    CHECK(receiver->values("a") == Values{"1", "2"});
    receiver = std::make_unique<Receiver>(killed_copy(copy, dir, 1));
    CHECK(receiver->ingest->unreleased("broker") == std::vector<std::uint16_t>{1});
}

TEST_CASE("ingest: a message that would push out most of what others have within the quota is too large") {
    const test::TempDir dir;
    std::vector<storage::Gap> gaps;
    Receiver receiver(
        dir / "data", [](auto&&...) {}, [&](const storage::Gap& gap) { gaps.push_back(gap); }, 2U << 20U, true);
    receiver.publish("a", std::string(700'000, 'x'), {});
    CHECK(receiver.values("a").empty());
    CHECK(receiver.values("dead").size() == 1);
    CHECK(gaps.size() == 1);
}

TEST_CASE("ingest: a message that is too large for a log is kept shortened, told as a gap, and not retried for ever") {
    const test::TempDir dir;
    std::vector<storage::Gap> gaps;
    Receiver receiver(
        dir / "data", [](auto&&...) {}, [&](const storage::Gap& gap) { gaps.push_back(gap); });
    const std::string large(storage::kRecordBytesMax - 100,
                            'x');  // as a dead letter it would be too large for a record
    receiver.publish("a", large, 1);
    receiver.publish("a", "after", 2);
    receiver.publish("no route", large, 3);
    CHECK(receiver.values("a") == Values{"after"});
    CHECK(receiver.values("dead") == Values(2, std::string(64U << 10U, 'x')));
    CHECK(receiver.ingest->counters().refused == 0);
    CHECK(receiver.ingest->counters().dead_lettered == 2);
    REQUIRE(gaps.size() == 2);
    CHECK(gaps[0].stream == "a");
    CHECK(gaps[0].count == 1);
    CHECK(gaps[1].stream == "dead");
    const auto headers = receiver.headers_of_first("dead");
    CHECK(headers.at("sluice.reason") == "too-large");
    CHECK(headers.at("sluice.original-size") == std::to_string(large.size()));
    CHECK(headers.at("mqtt.topic") == "a");
    CHECK(headers.at("sluice.stream") == "a");
}

// A server's clients have many messages on the way at a time: each is accepted when its log is durable, in any order.
TEST_CASE("qos 2: many accepts and releases at a time, and kills between them: exactly once into the log") {
    for (unsigned seed = 0; seed < 10; ++seed) {
        CAPTURE(seed);
        const test::TempDir dir;
        std::mt19937 random(seed);
        auto data = dir / "data";
        auto receiver = std::make_unique<Receiver>(data);
        struct Outgoing {
            std::string client;
            std::uint16_t id;
            int number;
            bool received;
        };
        std::vector<Outgoing> window;
        int next = 0;
        for (int copies = 0; next < 200 || !window.empty();) {
            while (next < 200 && window.size() < 12) {
                const std::string client = "client " + std::to_string(next % 3);
                std::uint16_t id = 1;
                while (std::any_of(window.begin(), window.end(),
                                   [&](const auto& m) { return m.client == client && m.id == id; })) {
                    ++id;
                }
                window.push_back({client, id, next++, false});
            }
            std::vector<std::pair<std::size_t, std::future<bool>>> answers;
            for (std::size_t i = 0; i < window.size(); ++i) {
                if (random() % 3 == 0) continue;
                auto answer = std::make_shared<std::promise<bool>>();
                answers.emplace_back(i, answer->get_future());
                const auto done = [answer](const auto& result) { answer->set_value(result.has_value()); };
                const auto& m = window[i];
                if (m.received) {
                    receiver->ingest->release(m.client, m.id, done);
                    continue;
                }
                bridge::Message message;
                message.topic = m.number % 2 == 0 ? "a" : "b";
                message.payload = std::to_string(m.number);
                message.qos = 2;
                CHECK(receiver->ingest->try_accept(m.client, message, m.id, done) != Ingest::Taken::full);
            }
            std::set<std::size_t> over;
            for (auto& [i, answer] : answers) {
                const bool heard = answer.get() && random() % 5 != 0;  // else the connection broke before
                if (!heard) continue;
                if (window[i].received) over.insert(i);
                window[i].received = true;
            }
            for (auto i = over.rbegin(); i != over.rend(); ++i)
                window.erase(window.begin() + static_cast<std::ptrdiff_t>(*i));
            if (random() % 8 != 0) continue;
            data = killed_copy(data, dir, copies++);
            receiver = std::make_unique<Receiver>(data);
        }
        std::multiset<std::string> arrived;
        for (const auto* stream : {"a", "b"}) {
            for (const auto& value : receiver->values(stream)) arrived.insert(value);
        }
        CHECK(arrived.size() == 200);
        CHECK(std::set<std::string>(arrived.begin(), arrived.end()).size() == 200);
        for (const auto* client : {"client 0", "client 1", "client 2"}) {
            CHECK(receiver->ingest->unreleased(client).empty());
        }
    }
}
