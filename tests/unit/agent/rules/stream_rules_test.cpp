// The rules of a stream give each alert once, with a position that a replay gives again.
#include "agent/rules/stream_rules.hpp"

#include "agent/rules/rule_report.hpp"
#include "agent/rules/rule_snapshot.hpp"
#include "bridge/route/route.hpp"
#include "storage/file_system.hpp"
#include "tests/unit/agent/support.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

using namespace sluice;
using namespace sluice::agent;
using namespace sluice::test;
using namespace std::chrono_literals;
using models::rules::RuleSource;
using storage::Offset;

namespace {

RuleSource rule(const std::string& name, const std::string& expr) {
    RuleSource source;
    source.name = name;
    source.expr = expr;
    return source;
}

std::vector<RuleSource> sources() {
    auto all = std::vector<RuleSource>{rule("mean", "avg(x, 1m) > 55"), rule("quiet", "silence(45s)"),
                                       rule("steep", "slope(x, 2m) > 10/1m or changes(state, 1m) > 3")};
    all[0].for_ = 10s;
    return all;
}

struct Sent {
    storage::Record record;
    std::optional<models::Time> wait;  ///< time goes on to here before it
};

/// Records of some devices with clocks of their own, and times at which somebody looked whether one is silent.
std::vector<Sent> traffic(unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> part(0, 1);
    std::vector<Sent> all;
    models::Time now(models::Duration(1'700'000'000'000));
    for (int i = 0; i < 400; ++i) {
        Sent sent;
        if (part(random) < 0.1) {
            now += 70s;
            sent.wait = now - 2s;
        }
        now += models::Duration(static_cast<int>(part(random) * 3000));
        const auto device = static_cast<int>(part(random) * 4);
        sent.record.key = "device-" + std::to_string(device);
        sent.record.timestamp = now - device * 100s;
        sent.record.headers.push_back({bridge::kArrivalHeader, std::to_string(device * 100'000)});
        sent.record.value = "{\"x\": " + std::to_string(50 + part(random) * 20 - 10 * (i / 100 % 2)) +
                            ", \"state\": \"" + (part(random) < 0.5 ? "RUN" : "STOP") + "\"}";
        all.push_back(std::move(sent));
    }
    return all;
}

struct Said {
    std::string text;
    AlertPosition position;
};

std::unique_ptr<StreamRules> made(const std::vector<RuleSource>& rules = sources()) {
    return StreamRules::make(rules, 100).value();
}

void feed(StreamRules& rules, const std::vector<Sent>& all, std::size_t from, std::size_t to, std::vector<Said>& said,
          bool looks = true) {
    const auto sink = [&](const models::Alert& alert, const AlertPosition& position, auto) {
        said.push_back({alert_json(alert, "s").dump(), position});
    };
    for (std::size_t i = from; i < to; ++i) {
        if (looks && all[i].wait) rules.advance(*all[i].wait, sink);
        const auto& record = all[i].record;
        const storage::HeaderView header{record.headers[0].key, record.headers[0].value};
        rules.take({Offset(static_cast<std::int64_t>(i)), record.timestamp, record.key, record.value, {&header, 1}},
                   sink);
    }
    rules.caught_up(sink);
}

/// What the log of alerts says once `said` is in it.
AlertsSeen seen_of(const std::vector<Said>& said) {
    AlertsSeen seen;
    for (const auto& each : said) {
        seen.last = each.position;
        if (each.position.advanced_ms != 0) seen.advances.push_back({each.position.next, each.position.advanced_ms});
    }
    return seen;
}

std::vector<std::string> texts(const std::vector<Said>& said) {
    std::vector<std::string> all;
    for (const auto& each : said) all.push_back(each.text);
    return all;
}

}  // namespace

TEST_CASE("stream rules: after a kill at any alert, the others follow and none comes twice") {
    for (unsigned seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        const auto all = traffic(seed);
        std::vector<Said> expected;
        auto whole = made();
        whole->start_at(Offset(0), {});
        feed(*whole, all, 0, all.size(), expected);
        REQUIRE(expected.size() > 20);
        for (std::size_t i = 1; i < expected.size(); ++i) CHECK(expected[i - 1].position < expected[i].position);

        std::mt19937 random(seed);
        const ConfigDir dir;
        storage::PosixFileSystem files;
        // A snapshot somewhere, and a kill later, when so many alerts were durable.
        const auto at = random() % all.size();
        std::vector<Said> said;
        auto first = made();
        first->start_at(Offset(0), {});
        feed(*first, all, 0, at, said);
        const auto before = said.size();
        const SnapshotHeader header{"log", "alerts", 0, 100, sources()};
        const auto stored = store_snapshot(files, dir.path(), "s", header, [&](auto& writer) { first->save(writer); });
        REQUIRE(stored.has_value());
        const auto durable = before + random() % (expected.size() - before + 1);
        said.assign(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(durable));

        auto snapshot = RuleSnapshot::load(dir.path(), "s");
        REQUIRE(snapshot.has_value());
        CHECK((*snapshot)->header() == header);
        auto again = made();
        std::vector<models::Alert> ended;
        REQUIRE(!again->restore((*snapshot)->state(), ended));
        CHECK(ended.empty());
        CHECK(again->next() == Offset(static_cast<std::int64_t>(at)));
        const std::vector<Said> since(said.begin() + static_cast<std::ptrdiff_t>(before), said.end());
        again->start_at(again->next(), seen_of(since));
        // Nobody looks at the clock for what is past: the alerts' log tells when somebody did.
        const auto end = since.empty() ? at : static_cast<std::size_t>(since.back().position.next);
        feed(*again, all, at, std::max(end, at), said, false);
        feed(*again, all, std::max(end, at), all.size(), said);
        CHECK(again->repeated() == since.size());
        CHECK(texts(said) == texts(expected));
    }
}

namespace {

RuleSource derivation(const std::string& name, const std::string& to, models::Duration every,
                      std::vector<std::pair<std::string, std::string>> fields) {
    RuleSource source;
    source.name = name;
    source.derive.emplace();
    source.derive->to = to;
    source.derive->every = every;
    source.derive->fields = std::move(fields);
    return source;
}

std::vector<RuleSource> with_derivations() {
    auto all = sources();
    all.push_back(derivation("each", "copies", 0s, {{"x", "x"}, {"mean", "avg(x, 1m)"}}));
    all.push_back(derivation("minutes", "sums", 60s, {{"n", "count(x, 1m)"}, {"mean", "avg(x, 1m)"}}));
    all.push_back(derivation("tens", "sums", 10s, {{"n", "count(x, 10s)"}}));
    return all;
}

/// What is said, by the log that it goes to: "" is that of the alerts.
using Logs = std::map<std::string, std::vector<Said>>;

void feed_logs(StreamRules& rules, const std::vector<Sent>& all, std::size_t from, std::size_t to, Logs& logs,
               bool looks = true) {
    rules.on_derived([&](const std::string& stream, const storage::Record& record, const AlertPosition& position) {
        logs[stream].push_back({*record.key + *record.value, position});
    });
    feed(rules, all, from, to, logs[""], looks);
}

}  // namespace

TEST_CASE("stream rules: after a kill each log goes on where it ends, whatever the others have") {
    const auto rules = with_derivations();
    for (unsigned seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        const auto all = traffic(seed);
        Logs expected;
        auto whole = made(rules);
        whole->start_at(Offset(0), {});
        feed_logs(*whole, all, 0, all.size(), expected);
        REQUIRE(expected.size() == 3);
        REQUIRE(expected["copies"].size() == all.size());
        REQUIRE(expected["sums"].size() > 50);

        std::mt19937 random(seed);
        const auto at = random() % all.size();
        Logs said;
        auto first = made(rules);
        first->start_at(Offset(0), {});
        feed_logs(*first, all, 0, at, said);
        auto again = made(rules);
        std::vector<models::Alert> ended;
        REQUIRE(!again->take_over(*first, ended));
        // Each log had its own end when it was killed. All that came before it is in it.
        AlertsSeen seen;
        std::set<AlertsSeen::Advance> advances;
        std::size_t end = at;
        for (const auto& [name, whole_log] : expected) {
            const auto before = said[name].size();
            const auto durable = before + random() % (whole_log.size() - before + 1);
            said[name].assign(whole_log.begin(), whole_log.begin() + static_cast<std::ptrdiff_t>(durable));
            for (std::size_t i = before; i < durable; ++i) {
                const auto& position = whole_log[i].position;
                if (position.advanced_ms != 0) advances.insert({position.next, position.advanced_ms});
                end = std::max(end, static_cast<std::size_t>(position.next));
                name.empty() ? void(seen.last = position) : void(seen.derived[name] = position);
            }
        }
        seen.advances.assign(advances.begin(), advances.end());
        again->start_at(again->next(), seen);
        feed_logs(*again, all, at, end, said, false);
        feed_logs(*again, all, end, all.size(), said);
        for (const auto& log : expected) {
            CAPTURE(log.first);
            CHECK(texts(said[log.first]) == texts(log.second));
        }
    }
}

TEST_CASE("stream rules: new rules take over what is the same, and end what is gone") {
    const auto all = traffic(3);
    auto old = made();
    old->start_at(Offset(0), {});
    std::vector<Said> said;
    std::size_t i = 0;
    while (old->set().firing() < 2) {
        feed(*old, all, i, i + 1, said);
        ++i;
    }
    const auto firing = old->set().firing();
    auto fresh = made({rule("other", "x > 1")});
    std::vector<models::Alert> ended;
    REQUIRE(!fresh->take_over(*old, ended));
    CHECK(ended.size() == firing);
    CHECK(ended[0].reason == models::Alert::Reason::rule_removed);
    CHECK(fresh->next() == old->next());
    auto same = made();
    ended.clear();
    REQUIRE(!same->take_over(*old, ended));
    CHECK(ended.empty());
    CHECK(same->set().firing() == firing);
}

TEST_CASE("stream rules: a payload that is no JSON has no fields, and its device is there") {
    auto rules = made({rule("any", "x > 1"), rule("quiet", "silence(10s)")});
    std::vector<Said> said;
    const auto sink = [&](const models::Alert& alert, const AlertPosition& position, auto) {
        said.push_back({alert.rule, position});
    };
    const auto take = [&](std::int64_t offset, std::string_view value) {
        rules->take({Offset(offset), storage::Timestamp(1s * offset), "d", value, {}}, sink);
    };
    take(0, "{\"x\": 0}");
    take(8, "\xff{ no");
    take(16, "[1, 2]");
    CHECK(said.empty());
    CHECK(rules->undecodable() == 1);
    take(17, "{\"x\": 2, \"deep\": {\"y\": [1, true]}}");
    CHECK(texts(said) == std::vector<std::string>{"any"});
    CHECK(said[0].position == AlertPosition{18, 0, 0});
}

TEST_CASE("stream rules: a damaged snapshot is told, and none is not") {
    const ConfigDir dir;
    CHECK(RuleSnapshot::load(dir.path(), "s").value() == nullptr);
    dir.write("rules/s.state", "");
    CHECK(RuleSnapshot::load(dir.path(), "s").has_error());
    storage::PosixFileSystem files;
    auto rules = made();
    REQUIRE(store_snapshot(files, dir.path(), "s", {"a", "b", 7, 1, sources()}, [&](auto& w) {
                rules->save(w);
            }).has_value());
    auto text = std::string();
    {
        std::ifstream in(dir / "rules/s.state", std::ios::binary);
        text.assign(std::istreambuf_iterator<char>(in), {});
    }
    CHECK(RuleSnapshot::load(dir.path(), "s").value()->header().alerts_from == 7);
    text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 1);
    dir.write("rules/s.state", text);
    CHECK(RuleSnapshot::load(dir.path(), "s").has_error());
    CHECK(streams_with_snapshot(files, dir.path()) == std::vector<std::string>{"s"});
}
