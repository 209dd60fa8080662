#include "bridge/mqtt/retained.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace sluice;
using namespace sluice::bridge;
using namespace sluice::bridge::mqtt;
using namespace std::chrono_literals;
using Topics = std::vector<std::string>;

namespace {

const storage::Timestamp kRetainedAt(1'700'000'000'000ms);

MessagePtr retained_message(const std::string& topic, const std::string& payload = "x",
                            std::optional<std::uint32_t> expiry = std::nullopt) {
    auto made = std::make_shared<bridge::Message>();
    made->topic = topic;
    made->payload = payload;
    made->arrived = kRetainedAt;
    made->expiry_interval = expiry;
    return made;
}

Topics topics(const RetainedMessages& store, std::string_view filter, storage::Timestamp now = kRetainedAt) {
    Topics found;
    for (const auto& each : store.match(filter, now)) found.push_back(each->topic);
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

TEST_CASE("retained: found by filter") {
    RetainedMessages store({});
    for (const auto* topic : {"a", "a/b", "a/b/c", "a/", "/a", "b", "$SYS/up"})
        CHECK(store.put(retained_message(topic)));
    CHECK(topics(store, "a/b") == Topics{"a/b"});
    CHECK(topics(store, "a/+") == Topics{"a/", "a/b"});
    CHECK(topics(store, "a/#") == Topics{"a", "a/", "a/b", "a/b/c"});
    CHECK(topics(store, "#") == Topics{"/a", "a", "a/", "a/b", "a/b/c", "b"});
    CHECK(topics(store, "+") == Topics{"a", "b"});
    CHECK(topics(store, "+/up").empty());
    CHECK(topics(store, "$SYS/#") == Topics{"$SYS/up"});
    CHECK(topics(store, "c").empty());
    CHECK(topics(store, "a/b/c/d").empty());
}

TEST_CASE("retained: the last message of a topic replaces the one before, an empty one removes it") {
    RetainedMessages store({});
    CHECK(store.put(retained_message("a/b", "old")));
    CHECK(store.put(retained_message("a/b", "newer")));
    CHECK(store.size() == 1);
    CHECK(store.bytes() == 8);
    CHECK(store.match("a/b", kRetainedAt).front()->payload == "newer");
    CHECK(store.put(retained_message("a/b", "")));
    CHECK(store.put(retained_message("a/b", "")));
    CHECK(store.put(retained_message("never", "")));
    CHECK(store.size() == 0);
    CHECK(store.bytes() == 0);
    CHECK(topics(store, "#").empty());
}

TEST_CASE("retained: what has expired is not found, and goes") {
    RetainedMessages store({});
    CHECK(store.put(retained_message("a", "x", 10)));
    CHECK(store.put(retained_message("b", "x", 20)));
    CHECK(store.put(retained_message("c", "x")));
    CHECK(topics(store, "#", kRetainedAt + 9'999ms) == Topics{"a", "b", "c"});
    CHECK(topics(store, "#", kRetainedAt + 10s) == Topics{"b", "c"});
    CHECK(store.remove_expired(kRetainedAt + 10s).size() == 1);
    CHECK(store.size() == 2);
    CHECK(store.remove_expired(kRetainedAt + 1h).size() == 1);
    CHECK(topics(store, "#", kRetainedAt + 1h) == Topics{"c"});
}

TEST_CASE("retained: limits keep what was there, and let it be replaced") {
    RetainedMessages store({.messages_max = 2, .bytes_max = 20});
    CHECK(store.put(retained_message("a", "1")));
    CHECK(store.put(retained_message("b", "2")));
    CHECK_FALSE(store.put(retained_message("c", "3")));
    CHECK(store.put(retained_message("b", std::string(17, 'x'))));
    CHECK_FALSE(store.put(retained_message("b", std::string(18, 'x'))));
    CHECK(topics(store, "#") == Topics{"a", "b"});
    CHECK(store.bytes() == 20);
}
