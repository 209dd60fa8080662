// The same records give the same alerts: however often time is advanced between them, and over any restart.
#include "models/rules/rule_set.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace sluice::models;
using namespace sluice::models::test;
using rules::RuleSet;
using rules::RuleSource;
using namespace std::chrono_literals;

namespace {

std::vector<RuleSource> sources() {
    std::vector<RuleSource> all(6);
    all[0].expr = "avg(x, 1m) > 55 and slope(x, 5m) > 0";
    all[0].for_ = 20s;
    all[1].expr = "silence(45s) or absent(y, 2m)";
    all[1].keep_firing_for = 15s;
    all[2].expr = "quantile(x, 0.9, 2m) > 70 or changes(state, 1m) > 3 or stddev(x, 10) > 9";
    all[3].expr = "hysteresis(ewma(x, 30s), 52, 48) and lasting(x > 50) > 3s";
    all[3].where = "x > 10";
    all[4].expr = "count(x, 1m) < 3 or rate(y, 2m) > 0.4/1s or previous(x) - last(x) > 25";
    all[4].by = {"site"};
    all[5].expr = "median(x, 20) > 50 or delta(x, 1m) > 30";
    all[5].keep_firing_for = 40s;
    for (std::size_t i = 0; i < all.size(); ++i) all[i].name = "rule-" + std::to_string(i);
    return all;
}

RuleSet made(std::size_t devices_max = 5) {
    return std::get<RuleSet>(RuleSet::build(sources(), devices_max));
}

struct Sent {
    std::string device;
    Time time;
    Time arrival;
    Fields fields;
};

/// Devices with clocks of their own, gaps, records out of order and late, and more of them than there is room for.
std::vector<Sent> records(unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> part(0, 1);
    std::normal_distribution<double> noise(0, 10);
    std::vector<Sent> all;
    double arrival = 1'700'000'000;
    for (int i = 0; i < 600; ++i) {
        arrival += part(random) < 0.02 ? 90 : part(random) * 3;
        const auto device = static_cast<int>(part(random) * part(random) * 7);
        double time = arrival + device * 100 - 300;
        if (part(random) < 0.1) time -= part(random) * 90;
        Fields fields{{"site", device % 2 == 0 ? std::string("north") : std::string("south")}};
        if (part(random) < 0.9) fields["x"] = 50 + noise(random);
        if (part(random) < 0.5) fields["y"] = std::floor(arrival / 5);
        if (part(random) < 0.3) fields["state"] = part(random) < 0.5 ? std::string("RUN") : std::string("STOP");
        all.push_back({"device-" + std::to_string(device), at(time), at(arrival), fields});
    }
    return all;
}

std::string shown(const Alert& a) {
    std::string out = a.id() + (a.change == Alert::Change::firing ? " fires " : " ends ") +
                      std::to_string(to_ms(a.at)) + " " + std::to_string(a.first_offset) + " " +
                      std::to_string(a.last_offset) + " " + a.message;
    for (const auto& o : a.observations) out += " " + o.text + "=" + rules::format_number(o.value);
    return out;
}

void add(RuleSet& set, const Sent& sent, std::size_t offset, std::vector<std::string>& all) {
    std::vector<Alert> alerts;
    const auto values = decode(set.fields(), sent.fields);
    set.add({sent.device, sent.time, sent.arrival, static_cast<std::int64_t>(offset), values}, alerts);
    for (const auto& alert : alerts) all.push_back(shown(alert));
}

void advance(RuleSet& set, Time now, std::vector<std::string>& all) {
    std::vector<Alert> alerts;
    set.advance(now, alerts);
    for (const auto& alert : alerts) all.push_back(shown(alert));
}

std::vector<std::byte> saved(const RuleSet& set) {
    std::vector<std::byte> bytes;
    StateWriter writer([&](std::span<const std::byte> part) { bytes.insert(bytes.end(), part.begin(), part.end()); });
    set.save(writer);
    writer.finish();
    return bytes;
}

std::optional<std::string> restore(RuleSet& set, std::span<const std::byte> bytes, std::vector<Alert>& alerts) {
    StateReader reader(bytes);
    if (!reader.ok()) return reader.fault();
    return set.restore(reader, alerts);
}

std::vector<std::string> alerts_of(const std::vector<Sent>& sent) {
    auto set = made();
    std::vector<std::string> all;
    for (std::size_t i = 0; i < sent.size(); ++i) add(set, sent[i], i, all);
    advance(set, sent.back().arrival + 1h, all);
    return all;
}

}  // namespace

TEST_CASE("replay: advancing time between records changes nothing") {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        const auto sent = records(seed);
        const auto expected = alerts_of(sent);
        CHECK(expected.size() > 50);
        std::mt19937 random(seed);
        auto set = made();
        std::vector<std::string> all;
        for (std::size_t i = 0; i < sent.size(); ++i) {
            const auto from = i == 0 ? sent[0].arrival - 1s : sent[i - 1].arrival;
            for (auto now = from; now < sent[i].arrival; now += Duration(1 + random() % 20'000)) advance(set, now, all);
            add(set, sent[i], i, all);
        }
        advance(set, sent.back().arrival + 1h, all);
        CHECK(all == expected);
    }
}

TEST_CASE("replay: a restart from a snapshot at any record changes nothing") {
    for (unsigned seed = 1; seed <= 5; ++seed) {
        CAPTURE(seed);
        const auto sent = records(seed);
        const auto expected = alerts_of(sent);
        auto set = made();
        std::vector<std::string> all;
        for (std::size_t i = 0; i < sent.size(); ++i) {
            add(set, sent[i], i, all);
            if (i % 7 != 0) continue;
            const auto bytes = saved(set);
            auto next = made();
            std::vector<Alert> ended;
            REQUIRE(restore(next, bytes, ended) == std::nullopt);
            CHECK(ended.empty());
            CHECK(next.firing() == set.firing());
            CHECK(saved(next) == bytes);
            set = std::move(next);
        }
        advance(set, sent.back().arrival + 1h, all);
        CHECK(all == expected);
    }
}

TEST_CASE("replay: equal histories give equal snapshots") {
    const auto sent = records(3);
    std::vector<std::string> ignored;
    auto a = made();
    auto b = made();
    for (std::size_t i = 0; i < sent.size(); ++i) {
        add(a, sent[i], i, ignored);
        add(b, sent[i], i, ignored);
    }
    CHECK(saved(a) == saved(b));
}

TEST_CASE("snapshot: damaged, cut or of another version it is refused, and the rules are as before") {
    const auto sent = records(4);
    auto set = made();
    std::vector<std::string> ignored;
    for (std::size_t i = 0; i < 100; ++i) add(set, sent[i], i, ignored);
    const auto before = saved(set);
    std::vector<Alert> ended;
    auto damaged = before;
    damaged[damaged.size() / 2] ^= std::byte{1};
    CHECK(restore(set, damaged, ended) == "its checksum is wrong");
    CHECK(restore(set, std::span(before).first(before.size() - 16), ended) == "its checksum is wrong");
    CHECK(restore(set, std::span(before).first(10), ended) == "it is no snapshot of rules");
    // Cut by who writes it: the checksum is right, the content ends early.
    for (const std::size_t cut : {12U, 60U, 200U, 3000U}) {
        std::vector<std::byte> bytes;
        StateWriter writer(
            [&](std::span<const std::byte> part) { bytes.insert(bytes.end(), part.begin(), part.end()); });
        writer.bytes(std::span(before).subspan(8, cut));
        writer.finish();
        CHECK(restore(set, bytes, ended) == "it ends too early");
    }
    CHECK(saved(set) == before);
    CHECK(ended.empty());
}

TEST_CASE(
    "snapshot: a changed threshold keeps the windows, a changed window starts anew, a removed rule's alerts end") {
    std::vector<RuleSource> rules(3);
    rules[0].name = "threshold";
    rules[0].expr = "sum(x, 1h) > 100";
    rules[1].name = "window";
    rules[1].expr = "sum(x, 1h) > 5";
    rules[2].name = "gone";
    rules[2].expr = "x > 1";
    auto old = std::get<RuleSet>(RuleSet::build(rules));
    std::vector<std::string> ignored;
    for (std::size_t i = 0; i < 10; ++i)
        add(old, {"p", at(1000.0 + double(i)), at(1000.0 + double(i)), {{"x", 2.0}}}, i, ignored);
    CHECK(old.firing() == 2);

    rules.pop_back();
    rules[0].expr = "sum(x, 1h) > 10";
    rules[1].expr = "sum(x, 2h) > 5";
    auto set = std::get<RuleSet>(RuleSet::build(rules));
    std::vector<Alert> ended;
    REQUIRE(restore(set, saved(old), ended) == std::nullopt);
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].id() == "gone/p/1000000");
    CHECK(ended[0].reason == Alert::Reason::rule_removed);
    std::vector<std::string> all;
    add(set, {"p", at(1010), at(1010), {{"x", 2.0}}}, 10, all);
    REQUIRE(all.size() == 2);
    CHECK(all[0].starts_with("threshold/p/1010000 fires"));  // 22 of old and new records
    CHECK(all[1].starts_with("window/p/1002000 ends"));      // 2: only the new one
}

TEST_CASE("snapshot: where fewer devices are allowed, the youngest stay") {
    auto set = made(5);
    std::vector<std::string> ignored;
    for (std::size_t i = 0; i < 5; ++i) {
        add(set, {"d" + std::to_string(i), at(1000), at(1000), {{"x", 2.0}, {"site", std::string("s")}}}, i, ignored);
    }
    auto small = made(2);
    std::vector<Alert> ended;
    REQUIRE(restore(small, saved(set), ended) == std::nullopt);
    CHECK(small.devices() == 3);  // two by key, one site
}
