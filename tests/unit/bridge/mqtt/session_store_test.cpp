#include "bridge/mqtt/session_store.hpp"

#include "storage/sqlite.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

using namespace sluice;
using namespace sluice::bridge;
using namespace sluice::bridge::mqtt;
using namespace std::chrono_literals;

namespace {

using test::must;

MessagePtr queued_message(const std::string& topic, const std::string& payload, std::uint8_t qos = 1) {
    auto made = std::make_shared<bridge::Message>();
    made->topic = topic;
    made->payload = payload;
    made->qos = qos;
    made->arrived = storage::Timestamp(1'700'000'000'123ms);
    return made;
}

struct StoreFixture {
    std::unique_ptr<SessionStore> open() {
        return must(SessionStore::open(dir / "sessions.db", [](auto&&...) {}));
    }
    /// What a restart finds.
    StoredState reopened() { return open()->take_state(); }
    std::int64_t rows(const std::string& table) {
        storage::DatabaseOptions options;
        options.read_only = true;
        auto database = must(storage::Database::open(dir / "sessions.db", options));
        auto statement = must(database.prepare(("SELECT count(*) FROM " + table).c_str(), "count"));
        CHECK(must(statement.next()));
        return statement.integer(0);
    }

    test::TempDir dir;
};

void wait_for(const SessionStore& store, SessionStore::Ticket ticket) {
    for (int i = 0; i < 1000 && !store.is_durable(ticket); ++i) std::this_thread::sleep_for(10ms);
    CHECK(store.is_durable(ticket));
}

}  // namespace

TEST_CASE("session store: all of a session comes back after a restart") {
    StoreFixture f;
    auto will = std::make_shared<bridge::Message>(*queued_message("wills/c", "gone", 2));
    will->retain = true;
    will->expiry_interval = 60;
    auto rich = std::make_shared<bridge::Message>(*queued_message("a/b", std::string("\0\xff", 2), 2));
    rich->user_properties = {{"k", "v"}, {"k", ""}};
    rich->content_type = "application/json";
    rich->response_topic = "reply";
    rich->correlation_data = std::string("\0x", 2);
    rich->payload_format_indicator = 1;
    rich->expiry_interval = 3600;
    {
        auto store = f.open();
        store->start([] {});
        StoredSession session;
        session.id = 7;
        session.client_id = "c";
        session.user = "";
        session.expiry_interval = 0xffffffff;
        session.ends_at = storage::Timestamp(1'800'000'000'000ms);
        session.will = will;
        session.will_delay = 5;
        session.will_at = storage::Timestamp(1'700'000'005'000ms);
        store->put_session(session);
        session.id = 9;
        session.client_id = "other";
        session.user.reset();
        session.ends_at.reset();
        session.will.reset();
        session.will_at.reset();
        store->put_session(session);
        store->put_subscription(7, "a/#", {2, true, true, 268'435'455});
        store->put_subscription(7, "$share/g/x", {1, false, false, {}});
        store->put_subscription(7, "gone", {});
        store->remove_subscription(7, "gone");
        store->put_outgoing(7, {3, 65'535, 2, true, false, {1, 2}, rich});
        store->put_outgoing(7, {4, 1, 1, false, false, {}, queued_message("a", "")});
        store->put_outgoing(9, {1, 1, 1, false, false, {}, queued_message("a", "not this session's")});
        store->put_incoming(7, 12);
        store->put_incoming(7, 13);
        store->remove_incoming(7, 13);
    }
    const auto state = f.reopened();
    REQUIRE(state.sessions.size() == 2);
    const auto& [session, subscriptions, outgoing, incoming] = state.sessions[0];
    CHECK(session.id == 7);
    CHECK(session.client_id == "c");
    CHECK(session.user == "");
    CHECK(session.expiry_interval == 0xffffffff);
    CHECK(session.ends_at == storage::Timestamp(1'800'000'000'000ms));
    REQUIRE(session.will);
    CHECK(session.will->topic == "wills/c");
    CHECK(session.will->qos == 2);
    CHECK(session.will->retain);
    CHECK(session.will->expiry_interval == 60);
    CHECK(session.will_delay == 5);
    CHECK(session.will_at == storage::Timestamp(1'700'000'005'000ms));
    REQUIRE(subscriptions.size() == 2);
    CHECK(subscriptions.at("a/#") == SubscriptionOptions{2, true, true, 268'435'455});
    CHECK(subscriptions.at("$share/g/x") == SubscriptionOptions{1, false, false, {}});
    REQUIRE(outgoing.size() == 2);
    CHECK(outgoing[0].sequence == 3);
    CHECK(outgoing[0].packet_id == 65'535);
    CHECK(outgoing[0].qos == 2);
    CHECK(outgoing[0].retain);
    CHECK(outgoing[0].identifiers == std::vector<std::uint32_t>{1, 2});
    const auto& back = *outgoing[0].message;
    CHECK(back.topic == rich->topic);
    CHECK(back.payload == rich->payload);
    CHECK(back.arrived == rich->arrived);
    CHECK(back.user_properties == rich->user_properties);
    CHECK(back.content_type == rich->content_type);
    CHECK(back.response_topic == rich->response_topic);
    CHECK(back.correlation_data == rich->correlation_data);
    CHECK(back.payload_format_indicator == rich->payload_format_indicator);
    CHECK(back.expiry_interval == rich->expiry_interval);
    CHECK(outgoing[1].message->payload.empty());
    CHECK(incoming == std::vector<std::uint16_t>{12});
    CHECK_FALSE(state.sessions[1].session.user);
    CHECK_FALSE(state.sessions[1].session.ends_at);
    CHECK(state.sessions[1].outgoing.size() == 1);
}

TEST_CASE("session store: what is released has no message, what is removed is gone") {
    StoreFixture f;
    auto store = f.open();
    store->start([] {});
    StoredSession session;
    session.id = 1;
    session.client_id = "c";
    store->put_session(session);
    store->put_outgoing(1, {1, 1, 2, false, false, {}, queued_message("a", "first", 2)});
    wait_for(*store, store->put_outgoing(1, {2, 2, 2, false, false, {}, queued_message("a", "second", 2)}));
    store->release_outgoing(1, 1);
    store->remove_outgoing(1, 2);
    store.reset();
    {
        const auto state = f.reopened();
        REQUIRE(state.sessions.at(0).outgoing.size() == 1);
        CHECK(state.sessions[0].outgoing[0].released);
        CHECK_FALSE(state.sessions[0].outgoing[0].message);
    }
    store = f.open();
    store->start([] {});
    store->remove_session(1);
    store.reset();
    CHECK(f.reopened().sessions.empty());
    for (const auto* table : {"session", "subscription", "outgoing", "incoming"}) CHECK(f.rows(table) == 0);
}

TEST_CASE("session store: the last retained message of a topic stays, an empty one removes it") {
    StoreFixture f;
    auto store = f.open();
    store->start([] {});
    store->put_retained(queued_message("a", "old"));
    store->put_retained(queued_message("a", "new"));
    store->put_retained(queued_message("b", "x"));
    wait_for(*store, store->put_retained(queued_message("c", "x")));
    store->put_retained(queued_message("b", ""));
    store->put_retained(queued_message("c", ""));
    store->put_retained(queued_message("c", "again"));
    store.reset();
    auto retained = f.reopened().retained;
    std::sort(retained.begin(), retained.end(), [](const auto& a, const auto& b) { return a->topic < b->topic; });
    REQUIRE(retained.size() == 2);
    CHECK(retained[0]->payload == "new");
    CHECK(retained[1]->payload == "again");
}

TEST_CASE("session store: a message that is acknowledged before it was written never is, and nobody waits for ever") {
    StoreFixture f;
    auto store = f.open();
    std::atomic<int> written = 0;
    store->start([&] { ++written; });
    SessionStore::Ticket ticket = 0;
    {
        const SessionStore::Hold hold(*store);  // so that it can't be written in between
        ticket = store->put_outgoing(1, {1, 1, 1, false, false, {}, queued_message("a", "x")});
        CHECK(store->remove_outgoing(1, 1) == 0);
        CHECK_FALSE(store->is_durable(ticket));
    }
    wait_for(*store, ticket);
    CHECK(written == 1);
    CHECK(f.rows("outgoing") == 0);
}

TEST_CASE("session store: what is put under a hold is one transaction") {
    StoreFixture f;
    auto store = f.open();
    store->start([] {});
    for (std::uint16_t i = 1; i <= 200; ++i) {
        const SessionStore::Hold hold(*store);
        const auto first = store->put_outgoing(1, {i, i, 2, false, false, {}, queued_message("a", "x", 2)});
        CHECK(store->put_incoming(2, i) == first);
    }
    wait_for(*store, store->last());
    CHECK(f.rows("outgoing") == 200);
    CHECK(f.rows("incoming") == 200);
}

TEST_CASE("session store: a file that is none is one clear error") {
    StoreFixture f;
    std::ofstream(f.dir / "sessions.db") << std::string(8192, 'x');
    const auto opened = SessionStore::open(f.dir / "sessions.db", [](auto&&...) {});
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().message().find("move the file away: clients subscribe again") != std::string::npos);
}
