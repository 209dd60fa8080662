#include "agent/reload.hpp"

#include "agent/config_reference.hpp"
#include "tests/unit/agent/support.hpp"

#include <doctest/doctest.h>

#include <optional>

using namespace sluice;
using namespace sluice::agent;
using namespace sluice::test;

namespace {

/// A file and what a reload of it does.
struct Bench {
    explicit Bench(const std::string& toml) : file(dir.write("s.toml", toml)) {
        const auto loaded = load_config(file, {});
        REQUIRE_MESSAGE(loaded.config.has_value(), loaded.text());
        reloader.emplace(ConfigArguments{file, {}}, loaded.keys,
                         Reloader::Parts{[](const std::string& stream) { return stream == "telemetry"; },
                                         [this](const Config& config, bool routes) -> storage::Result<void> {
                                             if (refusal) return *refusal;
                                             applied = config;
                                             with_routes = routes;
                                             return {};
                                         },
                                         [this]() -> storage::Result<std::function<void()>> {
                                             if (admin_refusal) return *admin_refusal;
                                             return std::function<void()>([this] { admin_taken = true; });
                                         },
                                         [this](bridge::Severity severity) { level = severity; }},
                         [this](bridge::Severity, std::string_view, const std::string& message) { said = message; });
    }
    ReloadAnswer after(const std::string& toml) {
        dir.write("s.toml", toml);
        return reloader->reload();
    }

    const ConfigDir dir;
    const std::string file;
    std::optional<storage::Error> refusal;
    std::optional<storage::Error> admin_refusal;
    bool admin_taken = false;
    std::optional<Config> applied;
    bool with_routes = false;
    std::optional<bridge::Severity> level;
    std::string said;
    std::optional<Reloader> reloader;
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("reload: without a change there is nothing to name") {
    Bench bench(kGood);
    const auto answer = bench.after(kGood);
    CHECK(answer.done);
    CHECK(answer.changed.empty());
    CHECK(answer.needs_restart.empty());
    CHECK(bench.applied.has_value());  // users and certificates, whose files may have changed
    CHECK_FALSE(bench.with_routes);
}

TEST_CASE("reload: a level of the log is changed, and what needs a restart is named") {
    Bench bench(kGood);
    const auto answer = bench.after(kGood + "[agent]\nlog_level = \"debug\"\n[kafka]\nbrokers = \"k:9092\"\n");
    CHECK(answer.done);
    CHECK(answer.changed == Texts{"agent.log_level"});
    CHECK(answer.needs_restart == Texts{"kafka.brokers"});
    CHECK(bench.level == bridge::Severity::debug);
    // It is still what a restart would bring.
    const auto again = bench.after(kGood + "[agent]\nlog_level = \"debug\"\n[kafka]\nbrokers = \"k:9092\"\n");
    CHECK(again.changed.empty());
    CHECK(again.needs_restart == Texts{"kafka.brokers"});
}

TEST_CASE("reload: what is wrong is refused whole, with every reason") {
    Bench bench(kGood);
    const auto answer =
        bench.after(kGood + "[agent]\nlog_level = \"debug\"\nshutdown_timeout = 1\n[kafka]\nbroker = \"\"\n");
    CHECK_FALSE(answer.done);
    CHECK(answer.errors.size() >= 2);
    CHECK_FALSE(bench.applied);
    CHECK_FALSE(bench.level);
    CHECK(bench.said.starts_with("reload: nothing is changed: "));
}

TEST_CASE("reload: a part that refuses keeps everything as it was") {
    Bench bench(kGood);
    bench.refusal = storage::Error(storage::Errc::invalid, "users:3: no hash");
    const auto answer = bench.after(kGood + "[agent]\nlog_level = \"debug\"\n");
    CHECK_FALSE(answer.done);
    CHECK(answer.errors == Texts{"users:3: no hash"});
    CHECK_FALSE(bench.level);
    CHECK_FALSE(bench.admin_taken);
    bench.refusal.reset();
    bench.admin_refusal = storage::Error(storage::Errc::invalid, "admin.pem: no certificate");
    CHECK(bench.after(kGood + "[agent]\nlog_level = \"debug\"\n").errors == Texts{"admin: admin.pem: no certificate"});
    CHECK_FALSE(bench.applied);
    bench.admin_refusal.reset();
    CHECK(bench.after(kGood + "[agent]\nlog_level = \"debug\"\n").changed == Texts{"agent.log_level"});
}

TEST_CASE("reload: routes change where their streams are there, and not where one is new") {
    Bench bench(kGood);
    const std::string second = "[[route]]\ntopic = \"b/#\"\nstream = \"";
    auto answer = bench.after(kGood + second + "telemetry\"\n");
    CHECK(answer.changed == Texts{"route"});
    CHECK(bench.with_routes);
    CHECK(bench.applied->routes.size() == 2);
    answer = bench.after(kGood + second + "new\"\n");
    CHECK(answer.done);
    CHECK(answer.changed.empty());
    CHECK(answer.needs_restart == Texts{"route (the stream new is new)"});
    CHECK_FALSE(bench.with_routes);
}

TEST_CASE("reload: keys that come, go and change are found, and an array's by its name") {
    CHECK(changed_keys({{"a.b", "1"}, {"a.c", "2"}, {"route[0].topic", "x"}},
                       {{"a.b", "1"}, {"a.d", "2"}, {"route[0].topic", "y"}, {"route[1].topic", "z"}}) ==
          std::set<std::string>{"a.c", "a.d", "route"});
}

TEST_CASE("reload: what can be reloaded is a key that there is") {
    std::set<std::string> known;
    for (const auto& key : config_keys()) known.insert(key.name);
    for (const auto& key : known) {
        if (key.starts_with("listener.mqtt.tls.") || key.starts_with("route.")) CHECK(is_reloadable(key));
        if (key.starts_with("stream.") || key.starts_with("kafka.") || key.starts_with("storage.")) {
            CHECK_FALSE(is_reloadable(key));
        }
    }
    for (const auto* key : {"agent.log_level", "listener.mqtt.max_connections", "listener.mqtt.max_connection_rate",
                            "listener.mqtt.max_connections_per_address", "listener.mqtt.max_message_rate",
                            "listener.mqtt.max_subscriptions", "listener.mqtt.anonymous", "listener.mqtt.acl",
                            "listener.mqtt.password_file"}) {
        CAPTURE(key);
        CHECK(is_reloadable(key));
        CHECK(known.contains(key));
    }
}
