// Derivations: what is written of a device's records, at each of them or at the end of an interval.
#include "models/rules/rule_set.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace sluice::models;
using namespace sluice::models::test;
using rules::Derived;
using rules::RuleSet;
using rules::RuleSource;
using namespace std::chrono_literals;

namespace {

using Names = std::vector<std::pair<std::string, std::string>>;

RuleSource derivation(Duration every, Names fields) {
    RuleSource source;
    source.name = "d";
    source.derive.emplace();
    source.derive->to = "out";
    source.derive->every = every;
    source.derive->fields = std::move(fields);
    return source;
}

std::string shown(const Derived& derived) {
    std::string out =
        derived.device + " " + std::to_string(to_ms(derived.time)) + "-" + std::to_string(to_ms(derived.end));
    for (std::size_t i = 0; i < derived.values.size(); ++i) {
        out += " " + derived.rule->fields[i].name + "=";
        const auto& value = derived.values[i];
        if (const auto* number = std::get_if<double>(&value)) out += rules::format_number(*number);
        if (const auto* boolean = std::get_if<bool>(&value)) out += *boolean ? "true" : "false";
        if (const auto* text = std::get_if<std::string>(&value)) out += *text;
    }
    return out;
}

class Set {
 public:
    explicit Set(const std::vector<RuleSource>& sources, std::size_t devices_max = 10)
        : set_(std::get<RuleSet>(RuleSet::build(sources, devices_max))) {}

    void add(double time, const Fields& fields, const std::string& device = "p", double arrival = 0) {
        const auto values = decode(set_.fields(), fields);
        set_.add({device, at(time), at(arrival == 0 ? time : arrival), offset_++, values}, alerts_);
        take();
    }
    void advance(double time) {
        set_.advance(at(time), alerts_);
        take();
    }
    void take() {
        for (const auto& derived : set_.derived()) said.push_back(shown(derived));
        set_.derived().clear();
    }
    [[nodiscard]] RuleSet& set() { return set_; }

    std::vector<std::string> said;

 private:
    RuleSet set_;
    std::vector<Alert> alerts_;
    std::int64_t offset_ = 0;
};

using Lines = std::vector<std::string>;

std::string faults(const RuleSource& source) {
    const auto built = RuleSet::build({source}, 1);
    const auto* found = std::get_if<std::vector<rules::RuleDiagnostic>>(&built);
    std::string out;
    if (found == nullptr) return out;
    for (const auto& fault : *found) out += fault.key + ": " + fault.diagnostic.what + "\n";
    return out;
}

}  // namespace

TEST_CASE("derive: an interval is written at its end, before anything later counts") {
    Set set({derivation(60s, {{"n", "count(x, 1m)"}, {"mean", "avg(x, 1m)"}, {"hot", "max(x, 1m) > 7"}})});
    set.add(60, {{"x", 1.0}});
    set.add(119.999, {{"x", 8.0}});
    CHECK(set.said.empty());
    set.add(120, {{"x", 5.0}});
    CHECK(set.said == Lines{"p 60000-120000 n=2 mean=4.5 hot=true"});
    set.advance(180.5);
    CHECK(set.said.back() == "p 120000-180000 n=1 mean=5 hot=false");
    set.advance(1000);
    CHECK(set.said.size() == 2);  // nothing came: nothing is written
    set.add(1000, {});
    set.add(1021, {{"x", 5.0}});
    CHECK(set.said.size() == 3);
    CHECK(set.said.back() == "p 960000-1020000 n=0 mean= hot=");  // the device was there, its field was not
}

TEST_CASE("derive: windows longer than the interval go on, those as long begin anew") {
    Set set({derivation(10s, {{"short", "sum(x, 10s)"}, {"long", "sum(x, 1m)"}, {"last", "last(x)"}})});
    for (int i = 0; i < 4; ++i) set.add(10 * i + 5, {{"x", i + 1.0}});
    CHECK(set.said == Lines{"p 0-10000 short=1 long=1 last=1", "p 10000-20000 short=2 long=3 last=2",
                            "p 20000-30000 short=3 long=6 last=3"});
}

TEST_CASE("derive: every value counts in one interval, however fast and in whatever order they come") {
    std::mt19937 random(3);
    std::uniform_real_distribution<double> part(0, 1);
    auto source = derivation(10s, {{"n", "count(x, 10s)"}});
    source.lateness = 20s;
    Set set({source});
    std::size_t sent = 0;
    for (double t = 1000; t < 1500; t += 0.02 * part(random)) {
        const double late = part(random) < 0.2 ? part(random) * 15 : 0;
        set.add(t - late, {{"x", 1.0}}, "p", t);
        ++sent;
    }
    set.advance(2000);
    std::size_t counted = 0;
    for (const auto& line : set.said) counted += std::stoul(line.substr(line.find("n=") + 2));
    CHECK(counted == sent);
    CHECK(set.said.size() >= 50);
}

TEST_CASE("derive: without a window each record is written, however late it is") {
    auto source = derivation(0s, {{"f", "x * 9 / 5 + 32"}, {"state", "state"}, {"word", "if(x > 3, 'high', 'low')"}});
    source.where = "x > 0";
    Set set({source}, 1);
    set.add(1000, {{"x", 5.0}});
    set.add(10, {{"x", 1.0}});
    set.add(1001, {{"x", -1.0}});
    set.add(1002, {{"x", 10.0}}, "another");
    CHECK(set.said == Lines{"p 1000000-1000000 f=41 state= word=high", "p 10000-10000 f=33.8 state= word=low",
                            "another 1002000-1002000 f=50 state= word=high"});
    CHECK(set.set().devices() == 0);
}

TEST_CASE("derive: with a window each record of the device's own is written with what it knows") {
    Set set({derivation(0s, {{"mean", "avg(x, 1m)"}, {"state", "state"}})});
    set.add(1, {{"x", 1.0}});
    set.add(2, {{"x", 9.0}}, "q");
    set.add(3, {{"x", 3.0}});
    CHECK(set.said == Lines{"p 1000-1000 mean=1 state=", "q 2000-2000 mean=9 state=", "p 3000-3000 mean=2 state="});
}

TEST_CASE("derive: a device that makes room, or sets its clock back, leaves its interval written") {
    Set set({derivation(60s, {{"n", "count(x, 1m)"}})}, 1);
    set.add(1000, {{"x", 1.0}});
    set.add(1001, {{"x", 1.0}}, "q");
    CHECK(set.said == Lines{"p 960000-1020000 n=1"});
    set.add(100, {{"x", 1.0}}, "q", 1002);
    set.add(101, {{"x", 1.0}}, "q", 1400);
    CHECK(set.said.back() == "q 960000-1020000 n=1");
    set.advance(2000);
    CHECK(set.said.back() == "q 60000-120000 n=1");
}

TEST_CASE("derive: a replay says the same, however often time was looked at, and over a restart") {
    const std::vector<RuleSource> sources{
        derivation(10s, {{"n", "count(x, 10s)"}, {"m", "avg(x, 1m)"}, {"q", "quantile(x, 0.9, 10s)"}})};
    std::mt19937 random(11);
    std::uniform_real_distribution<double> part(0, 1);
    struct Sent {
        double time, arrival, x;
        std::string device;
    };
    std::vector<Sent> all;
    double now = 1000;
    for (int i = 0; i < 500; ++i) {
        now += part(random) < 0.03 ? 40 : part(random) * 3;
        const auto device = static_cast<int>(part(random) * 4);
        all.push_back({now + device * 7 - (part(random) < 0.1 ? 5 : 0), now, part(random), std::to_string(device)});
    }
    const auto run = [&](bool looks, std::size_t restart) {
        auto set = std::make_unique<Set>(sources, 3);
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (i == restart) {
                std::vector<std::byte> bytes;
                StateWriter writer([&](auto chunk) { bytes.insert(bytes.end(), chunk.begin(), chunk.end()); });
                set->set().save(writer);
                writer.finish();
                auto next = std::make_unique<Set>(sources, 3);
                StateReader reader(bytes);
                std::vector<Alert> ended;
                CHECK_FALSE(next->set().restore(reader, ended));
                next->said = set->said;
                set = std::move(next);
            }
            if (looks) set->advance(all[i].arrival - 0.001);
            set->add(all[i].time, {{"x", all[i].x}}, all[i].device, all[i].arrival);
        }
        set->advance(5000);
        return set->said;
    };
    const auto expected = run(false, all.size());
    CHECK(expected.size() > 100);
    CHECK(run(true, all.size()) == expected);
    for (const std::size_t restart : {1U, 100U, 333U}) {
        CAPTURE(restart);
        const auto said = run(restart % 2 == 0, restart);
        REQUIRE(said.size() == expected.size());
        for (std::size_t i = 0; i < said.size(); ++i) REQUIRE(said[i] == expected[i]);
    }
}

TEST_CASE("derive: a changed derivation begins anew, one that is as it was goes on") {
    Set old({derivation(60s, {{"n", "count(x, 1m)"}})});
    old.add(1, {{"x", 1.0}});
    std::vector<std::byte> bytes;
    StateWriter writer([&](auto chunk) { bytes.insert(bytes.end(), chunk.begin(), chunk.end()); });
    old.set().save(writer);
    writer.finish();
    const auto after = [&](const RuleSource& source) {
        Set set({source});
        StateReader reader(bytes);
        std::vector<Alert> ended;
        CHECK_FALSE(set.set().restore(reader, ended));
        CHECK(ended.empty());
        set.add(2, {{"x", 1.0}});
        set.advance(100);
        return set.said;
    };
    CHECK(after(derivation(60s, {{"n", "count(x, 1m)"}})) == Lines{"p 0-60000 n=2"});
    CHECK(after(derivation(30s, {{"n", "count(x, 30s)"}})) == Lines{"p 0-30000 n=1"});
}

TEST_CASE("derive: what has no value at the end of an interval is refused") {
    CHECK(faults(derivation(60s, {{"x", "x"}})) == "fields: x: at the end of an interval there is no record\n");
    CHECK(faults(derivation(60s, {{"d", "device()"}})) == "fields: d: at the end of an interval there is no record\n");
    CHECK(faults(derivation(60s, {})) == "fields: an interval has no record to copy\n");
    CHECK(faults(derivation(0s, {{"a", "avg(x"}})).starts_with("fields: a: "));
    auto by = derivation(0s, {{"a", "x + 1"}});
    by.by = {"site"};
    CHECK(faults(by) == "by: there is no window that devices could have of their own\n");
    auto where = derivation(0s, {{"a", "x + 1"}});
    where.where = "avg(x, 1m) > 3";
    CHECK(faults(where).starts_with("where: "));
}
