// [[rule]]: what is wrong with an expression is told where it stands in the file.
#include "agent/config_text_place.hpp"
#include "tests/unit/agent/support.hpp"

#include <doctest/doctest.h>

using namespace sluice::agent;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

/// A rule behind kGood: `[[rule]]` is line 8, `more` begins on line 11.
std::string with_rule(const std::string& more) {
    return kGood + "[[rule]]\nname = \"hot\"\nstream = \"telemetry\"\n" + more;
}

Place at(const std::string& file, std::uint32_t line, std::uint32_t column, std::size_t offset) {
    return place_in_string(file, {"x", line, column}, offset);
}

}  // namespace

TEST_CASE("config rules: a rule with all its keys") {
    const ConfigDir dir;
    const auto loaded = load_config(dir.write("s.toml", with_rule(R"(
expr = "avg(temperature, 5m) > 80"
where = "running"
by = ["site", "machine.id"]
for = "2m"
keep_firing_for = "10m"
lateness = "5s"
severity = "critical"
message = "{device} is hot"
labels = { team = "north" }
[rules]
max_devices = 50
)")),
                                    {});
    CHECK(loaded.text() == "");
    REQUIRE(loaded.config);
    CHECK(loaded.config->rules.devices_max == 50);
    const auto& rule = loaded.config->rules.rules.at(0);
    CHECK(rule.stream == "telemetry");
    CHECK(rule.source.name == "hot");
    CHECK(rule.source.where == "running");
    CHECK(rule.source.by == std::vector<std::string>{"site", "machine.id"});
    CHECK(rule.source.for_ == 2min);
    CHECK(rule.source.keep_firing_for == 10min);
    CHECK(rule.source.lateness == 5s);
    CHECK(rule.source.severity == "critical");
    CHECK(rule.source.message == "{device} is hot");
    CHECK(rule.source.labels == sluice::models::Labels{{"team", "north"}});
    CHECK(loaded.config->streams.contains("alerts"));
    CHECK(loaded.config->routes.at(0).keep_arrival);
}

TEST_CASE("config rules: without a rule there is no stream of alerts, and no arrival is kept") {
    const ConfigDir dir;
    const auto loaded = load_config(dir.write("s.toml", kGood), {});
    REQUIRE(loaded.config);
    CHECK(!loaded.config->streams.contains("alerts"));
    CHECK(!loaded.config->routes.at(0).keep_arrival);
}

TEST_CASE("config rules: faults point into the expression") {
    CHECK(faults_of(with_rule("expr = \"slope(temperature, 30m) > 0.5\"\n")) ==
          "s.toml:11:9: rule.expr of hot: this compares a change per time with a number (say per which time: "
          "0.5/1h)\n");
    CHECK(faults_of(with_rule("expr = \"temperature > 80 and\"\n")).starts_with("s.toml:11:29: rule.expr of hot: "));
    CHECK(faults_of(with_rule("expr = \"a > 1\"\nwhere = \"avg(x, 5m) > 1\"\n"))
              .starts_with("s.toml:12:10: rule.where of hot: \"where\" looks at one record at a time"));
    CHECK(faults_of(with_rule("expr = \"a > 1\"\nmessage = \"{nobody}\"\n")).starts_with("s.toml:12:12: rule.message"));
    CHECK(faults_of(with_rule("expr = \"a > 1\"\nby = [\"a + b\"]\n")).starts_with("s.toml:12:6: rule.by of hot: "));
    // Below a line end, and behind an escape.
    CHECK(faults_of(with_rule("expr = \"\"\"\na > 1 and\n  avg(b) > 2\"\"\"\n")).starts_with("s.toml:13:3: "));
    CHECK(faults_of(with_rule("expr = \"a == \\\"x\\\" and avg(b) > 2\"\n")).starts_with("s.toml:11:24: "));
}

TEST_CASE("config rules: what is missing, unknown or taken") {
    CHECK(faults_of(kGood + "[[rule]]\n") ==
          "s.toml:8:1: [[rule]] needs \"name\" (such as name = \"overheating\")\n"
          "s.toml:8:1: [[rule]] needs \"stream\" (the stream whose records it looks at: stream = \"telemetry\")\n"
          "s.toml:8:1: [[rule]] needs \"expr\" (such as expr = \"temperature > 80\")\n");
    CHECK(faults_of(with_rule("expr = \"a > 1\"\nform = \"2m\"\n")) ==
          "s.toml:12:1: unknown key \"form\" in [[rule]] (did you mean \"for\"?)\n");
    CHECK(faults_of(kGood + "[[rule]]\nname = \"hot\"\nstream = \"telemetri\"\nexpr = \"a > 1\"\n") ==
          "s.toml:10:10: rule.stream: there is no stream \"telemetri\" (did you mean \"telemetry\"?)\n");
    CHECK(faults_of(kGood + "[[rule]]\nname = \"hot\"\nstream = \"alerts\"\nexpr = \"a > 1\"\n") ==
          "s.toml:10:10: rule.stream: the rules write this stream themselves (name the stream of the devices)\n");
    CHECK(faults_of(
              with_rule("expr = \"a > 1\"\n[[rule]]\nname = \"hot\"\nstream = \"telemetry\"\nexpr = \"b > 1\"\n")) ==
          "s.toml:13:8: rule.name: there is another rule \"hot\" (alerts are known by it)\n");
    CHECK(faults_of(with_rule("expr = \"a > 1\"\n[stream.alerts]\ndurability = \"memory\"\n"))
              .find("the stream \"alerts\" can't be kept in memory") != std::string::npos);
    CHECK(faults_of(with_rule("expr = \"a > 1\"\n[stream.alerts]\ncleanup = \"compact\"\n"))
              .find("the stream \"alerts\" can't be compacted") != std::string::npos);
}

TEST_CASE("config rules: rules come from files and directories too") {
    const ConfigDir dir;
    const std::string rule = "stream = \"telemetry\"\nexpr = \"a > 1\"\n";
    dir.write("more/a.toml", "[[rule]]\nname = \"a\"\n" + rule);
    dir.write("more/b.toml", "[[rule]]\nname = \"b\"\n" + rule);
    dir.write("c.toml", "[[rule]]\nname = \"c\"\nstream = \"telemetry\"\nexpr = \"a >\"\n");
    const auto loaded =
        load_config(dir.write("s.toml", kGood + "[rules]\nfiles = [\"more\", \"c.toml\", \"none.toml\"]\n"), {});
    const auto text = faults(dir, loaded);
    CHECK(text.find("none.toml: cannot be read") != std::string::npos);
    const auto better = load_config(dir.write("s.toml", kGood + "[rules]\nfiles = [\"more\", \"c.toml\"]\n"), {});
    CHECK(faults(dir, better).starts_with("c.toml:4:12: rule.expr of c: "));
    const auto good = load_config(dir.write("s.toml", kGood + "[rules]\nfiles = [\"more\"]\n"), {});
    REQUIRE(good.config);
    CHECK(good.config->rules.rules.size() == 2);
    const auto alone = load_rules(dir / "more/a.toml");
    CHECK(alone.errors.empty());
    CHECK(alone.rules.rules.size() == 1);
}

namespace {

/// A derivation behind kGood: `[[derive]]` is line 8, `more` begins on line 12.
std::string with_derivation(const std::string& more) {
    return kGood + "[[derive]]\nname = \"d\"\nstream = \"telemetry\"\nto = \"small\"\n" + more;
}

constexpr auto kAllKeys = R"toml(
every = "1m"
where = "running"
by = ["site"]
lateness = "5s"
key = "{device}/1m"
fields = { mean = "avg(temperature, 1m)", "max.t" = "max(temperature, 1m)" }
drop = ["operator"]
hash = ["serial"]
round = { mean = 0.1, x = 10 }
rename = { mean = "average" }
[rules]
hash_key_file = "key"
[stream.small]
retention = "30d"
[stream.telemetry]
forward = false
)toml";

}  // namespace

TEST_CASE("config rules: a derivation with all its keys") {
    const ConfigDir dir;
    dir.write("key", "secret\n");
    const auto loaded = load_config(dir.write("s.toml", with_derivation(kAllKeys)), {});
    CHECK(loaded.text() == "");
    REQUIRE(loaded.config);
    const auto& rules = loaded.config->rules;
    CHECK(rules.hash_key == "secret");
    const auto& source = rules.rules.at(0).source;
    CHECK(source.by == std::vector<std::string>{"site"});
    CHECK(source.lateness == 5s);
    const auto& derive = *source.derive;
    CHECK(derive.to == "small");
    CHECK(derive.every == 1min);
    CHECK(derive.key == "{device}/1m");
    CHECK(derive.fields.at(1) == std::pair<std::string, std::string>{"max.t", "max(temperature, 1m)"});
    CHECK(derive.drop == std::vector<std::string>{"operator"});
    CHECK(derive.hash == std::vector<std::string>{"serial"});
    CHECK(derive.round == std::vector<std::pair<std::string, double>>{{"mean", 0.1}, {"x", 10}});
    CHECK(derive.rename == std::vector<std::pair<std::string, std::string>>{{"mean", "average"}});
    CHECK(loaded.config->streams.contains("small"));
    CHECK(loaded.config->routes.at(0).keep_arrival);
}

TEST_CASE("config rules: what a derivation can't do") {
    CHECK(faults_of(kGood + "[[derive]]\n") ==
          "s.toml:8:1: [[derive]] needs \"name\" (such as name = \"overheating\")\n"
          "s.toml:8:1: [[derive]] needs \"stream\" (the stream whose records it looks at: stream = \"telemetry\")\n"
          "s.toml:8:1: [[derive]] needs \"to\" (the stream that is written: to = \"telemetry-1m\")\n");
    CHECK(faults_of(with_derivation("hash = [\"a\"]\n")).starts_with("s.toml:12:8: derive.hash: there is no key"));
    CHECK(faults_of(with_derivation("key = \"{device_hash}\"\n"))
              .starts_with("s.toml:12:7: derive.key: there is no key"));
    CHECK(faults_of(with_derivation("drop = [\"a +\"]\n")).starts_with("s.toml:12:8: derive.drop: \"a +\": "));
    CHECK(faults_of(with_derivation("round = { a = 0 }\n")).find("derive.round wants a step above 0") !=
          std::string::npos);
    CHECK(faults_of(with_derivation("rename = { a.b = \"c\" }\n")).find("a path with a dot needs quotes") !=
          std::string::npos);
    CHECK(faults_of(with_derivation("fields = { a = \"avg(x\" }\n")).find("derive.fields of d: a: ") !=
          std::string::npos);
    CHECK(faults_of(with_derivation("evry = \"1m\"\n")).find("did you mean \"every\"?") != std::string::npos);
    const auto to = [](const std::string& name, const std::string& more = {}) {
        return faults_of(kGood + "[[derive]]\nname = \"d\"\nstream = \"telemetry\"\nto = \"" + name + "\"\n" + more);
    };
    CHECK(to("alerts").starts_with("s.toml:11:6: derive.to: the agent writes this stream itself"));
    CHECK(to("sluice.events").starts_with("s.toml:11:6: derive.to: the agent writes this stream itself"));
    CHECK(to("telemetry").starts_with("s.toml:11:6: derive.to: a route leads to this stream"));
    CHECK(to("a b").starts_with("s.toml:11:6: derive.to: \"a b\" is not a stream's name"));
    CHECK(
        to("small", "[stream.small]\ncleanup = \"compact\"\n").starts_with("s.toml:11:6: derive.to: a derived stream"));
    const std::string second = "[[derive]]\nname = \"e\"\nstream = \"b\"\nto = \"c\"\n";
    CHECK(to("b", second).empty());  // one after the other
    CHECK(to("c", second + "[[derive]]\nname = \"f\"\nstream = \"c\"\nto = \"b\"\n")
              .find("the stream would be derived from itself") != std::string::npos);
    CHECK(
        to("c", "[[derive]]\nname = \"f\"\nstream = \"telemetry\"\nto = \"b\"\n" + second).find("and has one source") !=
        std::string::npos);
}

TEST_CASE("config rules: where a part of a string stands") {
    CHECK(at("k = \"abc\"", 1, 5, 2).column == 8);
    CHECK(at("k = 'a\\bc'", 1, 5, 2).column == 8);  // no escapes in such a string
    CHECK(at("k = \"ä>b\"", 1, 5, 3).column == 8);  // columns count characters, offsets bytes
    const auto below = at("\nk = '''\na\n b'''", 2, 5, 3);
    CHECK(below.line == 4);
    CHECK(below.column == 2);
    CHECK(at("k = \"\"\"a \\\n   b\"\"\"", 1, 5, 2).line == 2);
    CHECK(at("k = \"abc\"", 1, 5, 90).column == 5);  // not in it
    CHECK(at("k = 7", 1, 5, 1).column == 5);
}
