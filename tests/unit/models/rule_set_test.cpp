// Rules over records: verdicts, time, devices.
#include "models/rules/rule_set.hpp"

#include "support.hpp"

#include <doctest/doctest.h>

using namespace sluice::models;
using namespace sluice::models::test;
using rules::RuleSet;
using rules::RuleSource;
using namespace std::chrono_literals;

namespace {

RuleSource rule(std::string expr) {
    RuleSource source;
    source.name = "r";
    source.expr = std::move(expr);
    return source;
}

/// A rule set, its records, and what it has said: "+" for firing, "-" for resolved, device, start and time in seconds.
class Bench {
 public:
    explicit Bench(const std::vector<RuleSource>& sources, std::size_t devices_max = 100)
        : set_(std::get<RuleSet>(RuleSet::build(sources, devices_max))) {}

    std::string add(double seconds, const Fields& fields, const std::string& device = "p", double arrival = -1) {
        const auto values = decode(set_.fields(), fields);
        std::vector<Alert> alerts;
        set_.add({device, at(seconds), at(arrival < 0 ? seconds : arrival), next_offset_++, values}, alerts);
        return said(alerts);
    }
    std::string advance(double seconds) {
        std::vector<Alert> alerts;
        set_.advance(at(seconds), alerts);
        return said(alerts);
    }
    RuleSet& set() { return set_; }
    [[nodiscard]] const Alert& last() const { return last_; }

 private:
    std::string said(std::vector<Alert>& alerts) {
        std::string out;
        for (auto& alert : alerts) {
            if (!out.empty()) out += ' ';
            out += alert.change == Alert::Change::firing ? '+' : '-';
            out += alert.device + ':' + rules::format_number(static_cast<double>(to_ms(alert.start)) / 1000) + ':' +
                   rules::format_number(static_cast<double>(to_ms(alert.at)) / 1000);
            last_ = std::move(alert);
        }
        return out;
    }

    RuleSet set_;
    Alert last_;
    std::int64_t next_offset_ = 0;
};

Fields t(double temperature) {
    return {{"temperature", temperature}};
}

}  // namespace

TEST_CASE("rule: fires with the first record that holds, is resolved with the first that doesn't") {
    Bench bench({rule("temperature > 80")});
    CHECK(bench.add(10, t(80)).empty());
    CHECK(bench.add(20, t(81)) == "+p:20:20");
    CHECK(bench.add(30, t(82)).empty());
    CHECK(bench.add(40, {{"humidity", 3.0}}).empty());  // says nothing about the temperature
    CHECK(bench.set().firing() == 1);
    CHECK(bench.add(50, t(80)) == "-p:20:50");
    CHECK(bench.set().firing() == 0);
    CHECK(bench.add(60, t(90)) == "+p:60:60");
}

TEST_CASE("rule: `for` asks for the condition to hold so long, and the alert starts where it began to") {
    auto source = rule("temperature > 80");
    source.for_ = 2min;
    Bench bench({source});
    bench.add(10, t(81));
    CHECK(bench.add(100, t(79)).empty());  // interrupted
    CHECK(bench.add(110, t(81)).empty());
    CHECK(bench.add(229, t(81)).empty());
    CHECK(bench.add(230, t(81)) == "+p:110:230");  // two minutes after 110
    CHECK(bench.add(240, t(10)) == "-p:110:240");
}

TEST_CASE("rule: `for` ends without a record too, and before a record that comes later") {
    auto source = rule("temperature > 80");
    source.for_ = 2min;
    Bench ticking({source});
    ticking.add(100, t(81));
    CHECK(ticking.advance(220).empty());  // what is due at that moment waits for records of it
    CHECK(ticking.advance(220.001) == "+p:100:220");
    Bench catching_up({source});  // the device sends its backlog in one go: its own time counts
    catching_up.add(100, t(81), "p", 5000);
    CHECK(catching_up.add(400, t(20), "p", 5001) == "+p:100:220 -p:100:400");
}

TEST_CASE("rule: `keep_firing_for` holds an alert over short breaks") {
    auto source = rule("temperature > 80");
    source.keep_firing_for = 1min;
    Bench bench({source});
    CHECK(bench.add(10, t(81)) == "+p:10:10");
    CHECK(bench.add(20, t(79)).empty());
    CHECK(bench.add(50, t(81)).empty());
    CHECK(bench.add(60, t(79)).empty());
    CHECK(bench.add(119, t(79)).empty());
    CHECK(bench.add(125, t(79)) == "-p:10:120");  // at the moment, not with the record
}

TEST_CASE("rule: silence fires by the gateway's time, at the moment it was due, and ends with a record") {
    Bench bench({rule("silence(10m)")});
    bench.add(1000, {});
    bench.add(1100, {});
    CHECK(bench.advance(1700).empty());
    CHECK(bench.advance(5000) == "+p:1700:1700");
    CHECK(bench.last().first_offset == 1);
    CHECK(bench.advance(9000).empty());
    CHECK(bench.add(9001, {}) == "-p:1700:9001");
    CHECK(bench.add(9002, {}, "other").empty());
    CHECK(bench.add(9702, {}, "other") == "+p:9601:9601 +other:9602:9602 -other:9602:9702");
}

TEST_CASE("rule: a device whose clock is wrong is judged by its own clock") {
    Bench bench({rule("silence(10m) or count(x, 1m) > 2")});
    for (int i = 0; i < 3; ++i) {
        const auto expected = i == 2 ? "+p:52:52" : "";  // an hour behind, and not late: nothing is ahead of it
        CHECK(bench.add(50 + i, {{"x", 1.0}}, "p", 3650 + i) == expected);
    }
    CHECK(bench.advance(3652 + 600).empty());             // firing already
    CHECK(bench.add(700, {}, "p", 4300) == "-p:52:700");  // it was silent until now, and the count is 0
}

TEST_CASE("rule: a record without a timestamp has its time of arrival") {
    Bench bench({rule("count(x, 1m) == 2")});
    std::vector<Alert> alerts;
    for (const double seconds : {100.0, 130.0}) {
        const auto values = decode(bench.set().fields(), {{"x", 1.0}});
        bench.set().add({"p", std::nullopt, at(seconds), 0, values}, alerts);
    }
    REQUIRE(alerts.size() == 1);
    CHECK(alerts[0].start == at(130));
}

TEST_CASE("rule: a record out of order feeds windows, and the next in order gives the verdict") {
    Bench bench({rule("max(x, 5m) > 80")});
    bench.add(100, {{"x", 1.0}});
    bench.add(160, {{"x", 1.0}});
    CHECK(bench.add(110, {{"x", 90.0}}).empty());
    CHECK(bench.set().counters().out_of_order == 1);
    CHECK(bench.add(170, {{"x", 1.0}}) == "+p:170:170");
}

TEST_CASE("rule: what is later than `lateness` is counted and not used") {
    auto source = rule("max(x, 5m) > 80");
    source.lateness = 30s;
    Bench bench({source});
    bench.add(160, {{"x", 1.0}});
    bench.add(129, {{"x", 90.0}}, "p", 161);  // 31 s behind
    CHECK(bench.set().counters().late == 1);
    CHECK(bench.add(170, {{"x", 1.0}}).empty());
    bench.add(140, {{"x", 90.0}}, "p", 171);  // 30 s behind
    CHECK(bench.set().counters().late == 1);
    CHECK(bench.add(180, {{"x", 1.0}}) == "+p:180:180");
}

TEST_CASE("rule: a device whose clock was set back is deaf for five minutes, and starts anew") {
    Bench bench({rule("avg(x, 5m) > 80")});
    bench.add(10'000, {{"x", 90.0}});
    CHECK(bench.set().firing() == 1);
    for (int i = 1; i <= 300; ++i) CHECK(bench.add(100 + i, {{"x", 1.0}}, "p", 10'000 + i).empty());
    CHECK(bench.set().counters().clocks_set_back == 0);
    CHECK(bench.add(401, {{"x", 1.0}}, "p", 10'301) == "-p:10000:401");
    CHECK(bench.set().counters().clocks_set_back == 1);
    CHECK(bench.add(402, {{"x", 500.0}}, "p", 10'302) == "+p:402:402");
}

TEST_CASE("rule: late records among others don't look like a clock that was set back") {
    Bench bench({rule("avg(x, 5m) > 80")});
    for (int i = 0; i < 1000; ++i) {
        bench.add(10'000 + i, {{"x", 1.0}});
        bench.add(100 + i, {{"x", 1.0}}, "p", 10'000 + i);
    }
    CHECK(bench.set().counters().clocks_set_back == 0);
    CHECK(bench.set().counters().late == 1000);
}

TEST_CASE("rule: `where` hides records from the rule, silence included") {
    auto source = rule("silence(1m) or count(x, 5m) > 2");
    source.where = "kind == 'pump'";
    Bench bench({source});
    const Fields fan{{"kind", std::string("fan")}, {"x", 1.0}};
    const Fields pump{{"kind", std::string("pump")}, {"x", 1.0}};
    for (int i = 0; i < 5; ++i) bench.add(100 + i, fan);
    CHECK(bench.set().firing() == 0);
    bench.add(110, pump);
    bench.add(150, fan);
    CHECK(bench.add(171, fan) == "+p:170:170");
}

TEST_CASE("rule: devices are those of `by`, and records without it are counted") {
    auto source = rule("temperature > 80");
    source.by = {"site", "line.number"};
    Bench bench({source});
    const auto record = [](double temperature, double line) {
        return Fields{{"temperature", temperature}, {"site", std::string("north")}, {"line/number", line}};
    };
    CHECK(bench.add(10, record(81, 1)) == "+north/1:10:10");
    CHECK(bench.add(20, record(79, 2)).empty());
    CHECK(bench.add(30, t(99)).empty());
    CHECK(bench.set().counters().without_device == 1);
    CHECK(bench.add(40, record(79, 1)) == "-north/1:10:40");
}

TEST_CASE("rule: the device that was silent longest makes room, and its alert ends") {
    Bench bench({rule("temperature > 80")}, 2);
    bench.add(10, t(81), "a");
    bench.add(20, t(81), "b");
    bench.add(30, t(82), "a");
    CHECK(bench.add(40, t(20), "c") == "-b:20:20");
    CHECK(bench.last().reason == Alert::Reason::evicted);
    CHECK(bench.set().counters().evicted == 1);
    CHECK(bench.set().devices() == 2);
    CHECK(bench.add(50, t(20), "a") == "-a:10:50");
}

TEST_CASE("rule: timers of a device that made room are forgotten") {
    Bench bench({rule("silence(10s)")}, 1);
    bench.add(10, {}, "a");
    bench.add(11, {}, "b");
    CHECK(bench.advance(1000) == "+b:21:21");
}

TEST_CASE("alert: says what, where, since when and why") {
    auto source = rule("avg(temperature, 5m) > 80 and\n   temperature - last(inlet) > 10");
    source.name = "overheating";
    source.severity = "critical";
    source.labels = {{"team", "north"}, {"shift", "2"}};
    source.message =
        "{device} {{{severity}}} {value} {threshold}; {condition} ({labels}; {labels.team}) since {start}, {window}";
    source.for_ = 10s;
    Bench bench({source});
    bench.add(1'700'000'000, {{"temperature", 90.0}, {"inlet", 60.0}}, "pump-7");
    CHECK(bench.add(1'700'000'010, {{"temperature", 91.0}}, "pump-7") != "");
    const auto& alert = bench.last();
    CHECK(alert.id() == "overheating/pump-7/1700000000000");
    CHECK(alert.value == 90.5);
    CHECK(alert.condition == "avg(temperature, 5m) > 80");
    CHECK(alert.first_offset == 0);
    CHECK(alert.last_offset == 1);
    CHECK(alert.message ==
          "pump-7 {critical} 90.5 > 80; avg(temperature, 5m) > 80 (team=north, shift=2; north) since "
          "2023-11-14T22:13:20Z, 5m");
    REQUIRE(alert.observations.size() == 2);
    CHECK(alert.observations[1].text == "temperature - last(inlet)");
    CHECK(alert.observations[1].value == 31);
}

TEST_CASE("rules: all mistakes are told, with the key that they are in") {
    auto a = rule("temperature >");
    auto b = rule("x > 1");
    b.name = "b";
    b.where = "avg(x, 5m) > 1";
    b.message = "{valu} is too much";
    b.by = {"a + 1"};
    auto c = rule("x > 1");
    const auto built = RuleSet::build({a, b, c});
    const auto* faults = std::get_if<std::vector<rules::RuleDiagnostic>>(&built);
    REQUIRE(faults != nullptr);
    std::string shown;
    for (const auto& f : *faults)
        shown += f.rule + "." + f.key + ": " + f.diagnostic.what + "; " + f.diagnostic.to_do + "\n";
    CHECK(shown ==
          "r.name: two rules have this name; alerts are known by it\n"
          "r.expr: expected a value and not the end; a number, a field, a function or \"(\"\n"
          "b.by: \"by\" takes fields; such as site or machine.id\n"
          "b.where: \"where\" looks at one record at a time; use windows in \"expr\"\n"
          "b.message: there is no \"{valu}\" to fill in; did you mean \"value\"?\n"
          "r.name: two rules have this name; alerts are known by it\n");
}
