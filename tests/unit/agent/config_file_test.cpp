// What a good configuration means: defaults, conf.d, the command line over the files.
#include "tests/unit/agent/support.hpp"

#include <doctest/doctest.h>

using namespace sluice::agent;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

Config good(const LoadedConfig& loaded) {
    REQUIRE_MESSAGE(loaded.config, loaded.text());
    return *loaded.config;
}

Config load(const std::string& toml, const ConfigOverrides& overrides = {}) {
    const ConfigDir dir;
    return good(load_config(dir.write("s.toml", toml), overrides));
}

}  // namespace

TEST_CASE("config: what is not given has the documented default") {
    const auto config = load(kGood + "[agent]\nid = \"gw\"\n");
    CHECK(config.id == "gw");
    CHECK(config.data_dir == "/var/lib/sluice");
    CHECK(config.shutdown_timeout == 10s);
    CHECK(config.log_level == sluice::bridge::Severity::info);
    CHECK(config.log_format == LogFormat::text);
    CHECK_FALSE(config.kafka.has_value());

    REQUIRE(config.sources.size() == 1);
    const auto& source = config.sources.front();
    CHECK(source.url == "mqtt://broker:1883");
    CHECK(source.name == "broker:1883");
    CHECK(source.client_id == "sluice-gw-broker:1883");
    CHECK(source.qos == 1);
    CHECK(source.version == sluice::bridge::mqtt::ProtocolVersion::v5);
    CHECK(source.session_expiry == 7 * 24h);

    REQUIRE(config.routes.size() == 1);
    CHECK(config.routes.front().topic == "a/{device}");
    CHECK_FALSE(config.routes.front().key.has_value());

    CHECK(config.streams.size() == 3);
    for (const auto* name : {"telemetry", kDeadLetterStream, kEventsStream}) {
        REQUIRE(config.streams.contains(name));
        const auto& stream = config.streams.at(name);
        CHECK(stream.forward);
        CHECK(stream.log.retention == 7 * 24h);
        CHECK(stream.log.retention_bytes.has_value() == (std::string(name) == kEventsStream));
        CHECK(stream.log.hold_until_forwarded == (std::string(name) != kEventsStream));  // bounded, whatever the outage
        CHECK(stream.log.durability == sluice::storage::Durability::fsync);
    }
}

TEST_CASE("config: without agent.id the agent is named after the host") {
    std::array<char, 256> name{};
    REQUIRE(::gethostname(name.data(), name.size() - 1) == 0);
    CHECK(load(kGood).id == name.data());
}

TEST_CASE("config: every key reaches what it is for") {
    const auto config = load(R"([agent]
id = "gw"
data_dir = "/data"
shutdown_timeout = "1m"
log_level = "debug"
log_format = "json"
[[source.mqtt]]
name = "plant"
url = "mqtts://[::1]"
topics = ["a/#", "b/+"]
qos = 2
version = "3.1.1"
client_id = "me"
username = "u"
keep_alive = "10s"
session_expiry = "1h"
connect_timeout = "5s"
reconnect_min = "100ms"
reconnect_max = "2s"
receive_maximum = 7
tls.verify = true
[[route]]
topic = "a/{x}"
stream = "s"
key = "{x}"
timestamp = "/t"
timestamp_format = "us"
headers = { "one" = "{x}", two = "2" }
[stream.s]
kafka_topic = "other"
forward = false
durability = "flush"
compression = "zstd"
segment_bytes = "1MiB"
segment_age = "1h"
retention = "forever"
retention_bytes = "10MB"
hold_until_forwarded = false
[stream."sluice.events"]
retention = "1d"
[storage]
commit_interval = "5ms"
commit_bytes = "64KiB"
queue_records_max = 10
queue_bytes_max = "2MiB"
[kafka]
brokers = "k1:9092,k2:9092"
delivery = "exactly-once"
transaction_interval = "200ms"
transaction_records = 5000
transaction_bytes = "8MiB"
position_topic = "positions"
inflight_bytes = "1MiB"
compression = "zstd"
topics = "check"
partitions = 6
replication_factor = 3
cursor_interval = "100ms"
retry_min = "200ms"
retry_max = "5s"
[kafka.properties]
security.protocol = "SSL"
"linger.ms" = 2.5
enable.random.seed = true
)");
    CHECK(config.data_dir == "/data");
    CHECK(config.shutdown_timeout == 1min);
    CHECK(config.log_level == sluice::bridge::Severity::debug);
    CHECK(config.log_format == LogFormat::json);
    const auto& source = config.sources.at(0);
    CHECK(source.name == "plant");
    CHECK(source.url == "mqtts://[::1]:8883");
    CHECK(source.topics == std::vector<std::string>{"a/#", "b/+"});
    CHECK(source.qos == 2);
    CHECK(source.version == sluice::bridge::mqtt::ProtocolVersion::v3_1_1);
    CHECK(source.client_id == "me");
    CHECK(source.username == "u");
    CHECK(source.keep_alive == 10s);
    CHECK(source.session_expiry == 1h);
    CHECK(source.connect_timeout == 5s);
    CHECK(source.reconnect_min == 100ms);
    CHECK(source.reconnect_max == 2s);
    CHECK(source.receive_maximum == 7);
    const auto& route = config.routes.at(0);
    CHECK(route.stream == "s");
    CHECK(route.key == "{x}");
    CHECK(route.timestamp == "/t");
    CHECK(route.timestamp_format == sluice::bridge::TimestampFormat::microseconds);
    CHECK(route.headers == std::map<std::string, std::string>{{"one", "{x}"}, {"two", "2"}});
    const auto& stream = config.streams.at("s");
    CHECK(stream.kafka_topic == "other");
    CHECK_FALSE(stream.forward);
    CHECK(stream.log.durability == sluice::storage::Durability::flush);
    CHECK(stream.log.compression == sluice::storage::Compression::zstd);
    CHECK(stream.log.segment_bytes == 1U << 20U);
    CHECK(stream.log.segment_age == 1h);
    CHECK_FALSE(stream.log.retention.has_value());
    CHECK(stream.log.retention_bytes == 10'000'000);
    CHECK_FALSE(stream.log.hold_until_forwarded);
    CHECK(config.streams.at(kEventsStream).log.retention == 24h);
    CHECK(config.commit.commit_interval == 5ms);
    CHECK(config.commit.commit_bytes == 64U << 10U);
    CHECK(config.commit.queue_records_max == 10);
    CHECK(config.commit.queue_bytes_max == 2U << 20U);
    REQUIRE(config.kafka);
    CHECK(config.kafka->brokers == "k1:9092,k2:9092");
    CHECK(config.kafka->agent_id == "gw");
    CHECK(config.kafka->delivery == sluice::bridge::kafka::Delivery::exactly_once);
    CHECK(config.kafka->transaction.interval == 200ms);
    CHECK(config.kafka->transaction.records == 5000);
    CHECK(config.kafka->transaction.bytes == 8U << 20U);
    CHECK(config.kafka->position_topic == "positions");
    CHECK(config.kafka->inflight_bytes == 1U << 20U);
    CHECK(config.kafka->compression == "zstd");
    CHECK(config.kafka->topics == sluice::bridge::kafka::TopicPolicy::check);
    CHECK(config.kafka->partitions == 6);
    CHECK(config.kafka->replication_factor == 3);
    CHECK(config.kafka->cursor_interval == 100ms);
    CHECK(config.kafka->retry_min == 200ms);
    CHECK(config.kafka->retry_max == 5s);
    CHECK(config.kafka->properties == std::map<std::string, std::string>{{"security.protocol", "SSL"},
                                                                         {"linger.ms", "2.5"},
                                                                         {"enable.random.seed", "true"}});
}

TEST_CASE("config: conf.d is read in the order of names: tables merge and arrays of tables append") {
    const ConfigDir dir;
    const auto file = dir.write("s.toml", kGood + "[agent]\nid = \"gw\"\n");
    dir.write("conf.d/20-routes.toml", "[[route]]\ntopic = \"a/b/2\"\nstream = \"second\"\n");
    dir.write("conf.d/10-routes.toml", "[[route]]\ntopic = \"a/b/1\"\nstream = \"first\"\n");
    dir.write("conf.d/30-agent.toml", "[agent]\nlog_level = \"error\"\n");
    dir.write("conf.d/.hidden.toml", "this is not TOML");
    dir.write("conf.d/notes.txt", "nor is this");
    const auto config = good(load_config(file, {}));
    REQUIRE(config.routes.size() == 3);
    CHECK(config.routes[0].stream == "telemetry");
    CHECK(config.routes[1].stream == "first");
    CHECK(config.routes[2].stream == "second");
    CHECK(config.id == "gw");
    CHECK(config.log_level == sluice::bridge::Severity::error);
}

TEST_CASE("config: a key that two files give is an error that names both places") {
    const ConfigDir dir;
    const auto file = dir.write("s.toml", "[agent]\nid = \"gw\"\n" + kGood);
    dir.write("conf.d/a.toml", "[agent]\nid = \"other\"\n[kafka]\nbrokers = \"k:1\"\n");
    dir.write("conf.d/b.toml", "kafka = 1\n[[route]]\ntopic = 7\n");
    CHECK(faults(dir, load_config(file, {})) ==
          "conf.d/a.toml:2:1: \"id\" is given twice (it is also at s.toml:2:1; keep one of the two)\n"
          "conf.d/b.toml:1:1: \"kafka\" is given twice (it is also at conf.d/a.toml:3:2; keep one of the two)\n"
          "conf.d/b.toml:2:1: [[route]] needs \"stream\" (such as stream = \"telemetry\")\n"
          "conf.d/b.toml:3:9: route.topic wants a string, not the integer 7 (put it in quotes)\n");
}

TEST_CASE("config: a broken file in conf.d is named, and the other files' errors come with it") {
    const ConfigDir dir;
    const auto file = dir.write("s.toml", kGood);
    dir.write("conf.d/a.toml", "x\n");
    dir.write("conf.d/b.toml", "[y\n");
    CHECK(faults(dir, load_config(file, {})) ==
          "conf.d/a.toml:1:2: not valid TOML: error while parsing key-value pair: expected '=', saw '\\n'\n"
          "conf.d/b.toml:1:3: not valid TOML: error while parsing table header: expected ']', saw '\\n'\n");
}

TEST_CASE("config: the command line wins over the files, as TOML or as a bare string") {
    const auto toml = kGood + "[agent]\nid = \"gw\"\ndata_dir = \"/a\"\n[stream.telemetry]\nforward = false\n";
    CHECK(load(toml, {.data_dir = "./b", .id = "17", .sets = {}}).data_dir == "./b");
    CHECK(load(toml, {.data_dir = {}, .id = "17", .sets = {}}).id == "17");
    const auto config =
        load(toml, {.data_dir = {},
                    .id = {},
                    .sets = {"agent.id=gateway-1", "agent.log_level=\"debug\"", "stream.telemetry.forward=true",
                             "kafka.brokers=k:9092", "kafka.partitions = 4", "kafka.properties.\"linger.ms\"=7",
                             "stream.\"a.b\".retention=1h", "stream.x={retention=\"2h\", forward=false}"}});
    CHECK(config.id == "gateway-1");
    CHECK(config.log_level == sluice::bridge::Severity::debug);
    CHECK(config.streams.at("telemetry").forward);
    REQUIRE(config.kafka);
    CHECK(config.kafka->brokers == "k:9092");
    CHECK(config.kafka->partitions == 4);
    CHECK(config.kafka->properties.at("linger.ms") == "7");
    CHECK(config.streams.at("a.b").log.retention == 1h);
    CHECK(config.streams.at("x").log.retention == 2h);
}

TEST_CASE("config: faults of the command line name the option and its key") {
    const auto of = [](const std::string& set) { return faults_of(kGood, {.data_dir = {}, .id = {}, .sets = {set}}); };
    const std::string not_an_assignment = ":1:1: not an assignment (write KEY=VALUE, such as agent.log_level=debug)\n";
    CHECK(of("agent.id") == "--set agent.id" + not_an_assignment);
    CHECK(of("=x") == "--set " + not_an_assignment);
    CHECK(of("#=x") == "--set #" + not_an_assignment);
    CHECK(of("a..b=x") == "--set a..b" + not_an_assignment);
    CHECK(of("agent.id=17") == "--set agent.id:1:10: agent.id wants a string, not the integer 17 (put it in quotes)\n");
    CHECK(of("agent.idd=x") == "--set agent.idd:1:7: unknown key \"idd\" in [agent] (did you mean \"id\"?)\n");
    CHECK(of("route.stream=x") ==
          "--set route.stream:1:1: cannot set \"route\", which is an array of tables at s.toml:4:1 (change "
          "it there)\n");
    CHECK(faults_of(kGood, {.data_dir = "", .id = "a b", .sets = {}}) ==
          "--id: agent.id: \"a b\" is not an identity (1 to 128 letters, digits and . _ : - [ ])\n"
          "--data-dir: agent.data_dir: is empty (name a path)\n");
}

TEST_CASE("config: a relative path starts at the directory of the file that it stands in") {
    const ConfigDir dir;
    const auto file = dir.write("s.toml", kGood);
    dir.write("conf.d/agent.toml", "[agent]\ndata_dir = \"../data\"\n");
    CHECK(good(load_config(file, {})).data_dir == dir / "conf.d/../data");
    CHECK(good(load_config(file, {.data_dir = "x", .id = {}, .sets = {}})).data_dir == "x");
}

TEST_CASE("config: the data directory is found where the rest of the file is at fault") {
    const ConfigDir dir;
    const auto found = load_data_dir(dir.write("s.toml", "nonsense = 1\n[agent]\ndata_dir = \"/data\"\nid = 7\n"));
    CHECK(found.errors.empty());
    CHECK(found.data_dir == "/data");
    CHECK(load_data_dir(dir.write("t.toml", "[kafka]\n")).data_dir == "/var/lib/sluice");
    CHECK(load_data_dir(dir.write("u.toml", "[agent]\ndata_dir = 7\n")).errors.size() == 1);
    CHECK(load_data_dir(dir / "none.toml").errors.size() == 1);
}
