// Bad configurations, each with the very words, line and column that a person gets to see.
#include "tests/unit/agent/support.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace sluice::agent;
using namespace sluice::test;

namespace {

struct Case {
    std::string toml;
    std::string fault;  // what load_config says, one a line
};

void hold(const std::vector<Case>& cases) {
    for (const auto& c : cases) {
        CAPTURE(c.toml);
        CHECK(faults_of(c.toml) == c.fault);
    }
}

const std::string kDurationForm = "(a whole number and ms, s, m, h or d, such as \"10s\")\n";
const std::string kSizeForm = "(a whole number and B, KiB, MiB, GiB, TiB, KB, MB, GB or TB, such as \"16MiB\")\n";

}  // namespace

TEST_CASE("config: a good file has no fault") {
    CHECK(faults_of(kGood) == "");
}

TEST_CASE("config: a file that can't be read is one clear error") {
    const ConfigDir dir;
    CHECK(faults(dir, load_config(dir / "none.toml", {})) ==
          "none.toml: cannot be read: No such file or directory (name a configuration file with --config "
          "FILE)\n");
    CHECK(load_config(dir.path(), {}).text() ==
          dir.path() + ": cannot be read: Is a directory (name a configuration file with --config FILE)\n");
    const auto large = dir.write("large.toml", std::string(2U << 20U, '#'));
    CHECK(faults(dir, load_config(large, {})) == "large.toml: " + large.substr(dir.path().size() + 1) +
                                                     " is too large (name a configuration file with --config FILE)\n");
}

TEST_CASE("config: broken TOML is an error where it breaks, and nothing is made of the rest") {
    hold({
        {"[agent]\nid =\n",
         "s.toml:2:5: not valid TOML: error while parsing key-value pair: expected value, saw '\\n'\n"},
        {"[agent]\nid = gateway\n",
         "s.toml:2:6: not valid TOML: error while parsing value: could not determine value type\n"},
        {"a = 1\na = 2\n",
         "s.toml:2:5: not valid TOML: error while parsing key-value pair: cannot redefine existing integer "
         "'a'\n"},
        {"x = \"\xff\"\n", "s.toml:1:5: not valid TOML: encountered invalid utf-8 sequence\n"},
    });
}

TEST_CASE("config: an unknown key is an error that names the nearest known key, or says that there is none") {
    hold({
        {kGood + "[agent]\ndatadir = \"x\"\n",
         "s.toml:9:1: unknown key \"datadir\" in [agent] (did you mean \"data_dir\"?)\n"},
        {kGood + "[agent]\nshutdown-timeout = \"1s\"\n",
         "s.toml:9:1: unknown key \"shutdown-timeout\" in [agent] (did you mean \"shutdown_timeout\"?)\n"},
        {kGood + "[storag]\n", "s.toml:8:2: unknown key \"storag\" (did you mean \"storage\"?)\n"},
        {kGood + "[kafka]\nbrokers = \"k:9092\"\ncolour = 1\n",
         "s.toml:10:1: unknown key \"colour\" in [kafka] (it is not known to this version of sluice)\n"},
        {"[[source.mqtt]]\nurl = \"mqtt://b\"\ntopics = [\"a/#\"]\nuser = \"u\"\n[[route]]\ntopic = "
         "\"a/b\"\nstream = \"t\"\n",
         "s.toml:4:1: unknown key \"user\" in [[source.mqtt]] (it is not known to this version of sluice)\n"},
        {kGood + "[source.kafka]\n",
         "s.toml:8:9: unknown key \"kafka\" in [source] (it is not known to this version of sluice)\n"},
    });
}

TEST_CASE("config: keys of later versions are not silently accepted") {
    const std::string unknown = " (it is not known to this version of sluice)\n";
    hold({
        {kGood + "[fleet]\nbind = \"x\"\n", "s.toml:8:2: unknown key \"fleet\"" + unknown},
    });
}

TEST_CASE("config: settings of exactly-once delivery") {
    const auto kafka = kGood + "[kafka]\nbrokers = \"k:9092\"\n";
    hold({
        {kafka + "delivery = \"exactly-twice\"\n",
         "s.toml:10:12: kafka.delivery: \"exactly-twice\" is not known (\"at-least-once\" or \"exactly-once\")\n"},
        {kafka + "delivery = \"exactly-once\"\nposition_topic = \"a b\"\n",
         "s.toml:11:18: kafka.position_topic: \"a b\" is not a Kafka topic's name (1 to 249 letters, digits and . _ "
         "-)\n"},
        {kafka + "delivery = \"exactly-once\"\ntransaction_interval = \"31s\"\n",
         "s.toml:11:24: kafka.transaction_interval: is more than half of transaction.timeout.ms, which is 60000 ms "
         "(write less, or raise the latter in [kafka.properties])\n"},
        {kafka + "delivery = \"exactly-once\"\ntransaction_bytes = \"1KiB\"\n",
         "s.toml:11:21: kafka.transaction_bytes: \"1KiB\" is out of range (from \"16KiB\" to \"4GiB\")\n"},
    });
}

TEST_CASE("config: a wrong type says what is wanted, and never shows a string") {
    hold({
        {kGood + "[agent]\nid = 17\n", "s.toml:9:6: agent.id wants a string, not the integer 17 (put it in quotes)\n"},
        {kGood + "[agent]\nid = 1.5\n",
         "s.toml:9:6: agent.id wants a string, not a number with a fraction (put it in quotes)\n"},
        {kGood + "[agent]\nid = 2026-01-01\n",
         "s.toml:9:6: agent.id wants a string, not a date or time (put it in quotes)\n"},
        {kGood + "[agent]\nid = [\"x\"]\n", "s.toml:9:6: agent.id wants a string, not an array\n"},
        {kGood + "[agent]\nshutdown_timeout = 10\n",
         "s.toml:9:20: agent.shutdown_timeout wants a duration, not the integer 10 " + kDurationForm},
        {kGood + "[storage]\ncommit_bytes = 1024\n",
         "s.toml:9:16: storage.commit_bytes wants a size, not the integer 1024 " + kSizeForm},
        {kGood + "[storage]\nqueue_records_max = \"many\"\n",
         "s.toml:9:21: storage.queue_records_max wants a whole number, not a string (from 1 to 10000000)\n"},
        {kGood + "[stream.telemetry]\nforward = \"yes\"\n",
         "s.toml:9:11: stream.telemetry.forward wants true or false, not a string\n"},
        {"kafka = true\n" + kGood, "s.toml:1:9: kafka wants a table, not true\n"},
        {"[source.mqtt]\n[[route]]\ntopic = \"a\"\nstream = \"t\"\n",
         "s.toml:1:1: source.mqtt wants an array of tables, not a table (write [[source.mqtt]])\n"},
        {kGood + "[[agent]]\n", "s.toml:8:1: agent wants a table, not an array of tables (write [agent] once)\n"},
        {kGood + "[stream]\ntelemetry = 1\n", "s.toml:9:13: stream.telemetry wants a table, not the integer 1\n"},
    });
}

TEST_CASE("config: a duration or size that can't be read says what one looks like") {
    for (const auto* bad : {"5 parsecs", "5", "s", "", "-5s", "+5s", "5S", "1h30m", " 5s", "5s ", "1.5s", "0x5s",
                            "9223372036854775807d", "99999999999999999999s"}) {
        CAPTURE(bad);
        CHECK(faults_of(kGood + "[agent]\nshutdown_timeout = \"" + bad + "\"\n") ==
              "s.toml:9:20: agent.shutdown_timeout: \"" + std::string(bad) + "\" is not a duration " + kDurationForm);
    }
    for (const auto* bad : {"16", "MiB", "", "-1B", "16mib", "16 MiB", "1.5GiB", "9223372036854775807KiB"}) {
        CAPTURE(bad);
        CHECK(faults_of(kGood + "[storage]\ncommit_bytes = \"" + bad + "\"\n") ==
              "s.toml:9:16: storage.commit_bytes: \"" + std::string(bad) + "\" is not a size " + kSizeForm);
    }
}

TEST_CASE("config: what is out of range is an error that names the range, not clamped") {
    hold({
        {kGood + "[agent]\nshutdown_timeout = \"2h\"\n",
         "s.toml:9:20: agent.shutdown_timeout: \"2h\" is out of range (from \"0s\" to \"1h\")\n"},
        {kGood + "[storage]\ncommit_bytes = \"17MiB\"\n",
         "s.toml:9:16: storage.commit_bytes: \"17MiB\" is out of range (from \"1KiB\" to \"16MiB\")\n"},
        {kGood + "[storage]\nqueue_records_max = 0\n",
         "s.toml:9:21: storage.queue_records_max: 0 is out of range (from 1 to 10000000)\n"},
        {kGood + "[stream.telemetry]\nsegment_bytes = \"2GiB\"\n",
         "s.toml:9:17: stream.telemetry.segment_bytes: \"2GiB\" is out of range (from \"1KiB\" to "
         "\"1GiB\")\n"},
        {kGood + "[kafka]\nbrokers = \"k:1\"\npartitions = 4294967297\n",
         "s.toml:10:14: kafka.partitions: 4294967297 is out of range (from 1 to 10000)\n"},
        {kGood + "[kafka]\nbrokers = \"k:1\"\nretry_min = \"2m\"\n",
         "s.toml:10:13: kafka.retry_min: retry_min is more than retry_max\n"},
    });
}

TEST_CASE("config: a choice that is not known names the choices") {
    hold({
        {kGood + "[agent]\nlog_level = \"loud\"\n",
         "s.toml:9:13: agent.log_level: \"loud\" is not known (\"debug\", \"info\", \"warning\" or "
         "\"error\")\n"},
        {kGood + "[stream.telemetry]\ncompression = \"gzip\"\ndurability = \"ram\"\n",
         "s.toml:9:15: stream.telemetry.compression: \"gzip\" is not known (\"none\", \"lz4\" or \"zstd\")\n"
         "s.toml:10:14: stream.telemetry.durability: \"ram\" is not known (\"fsync\", \"flush\" or \"memory\")\n"},
        {kGood + "[kafka]\nbrokers = \"k:9092\"\ntopics = \"make\\n\"\n",
         "s.toml:10:10: kafka.topics: \"make\\n\" is not known (\"create\" or \"check\")\n"},
    });
}

TEST_CASE("config: identities and streams have legal names") {
    hold({
        {kGood + "[agent]\nid = \"a b\"\n",
         "s.toml:9:6: agent.id: \"a b\" is not an identity (1 to 128 letters, digits and . _ : - [ ])\n"},
        {kGood + "[agent]\nid = \"\"\n",
         "s.toml:9:6: agent.id: \"\" is not an identity (1 to 128 letters, digits and . _ : - [ ])\n"},
        {kGood + "[stream.\"a/b\"]\n",
         "s.toml:8:9: \"a/b\" is not a stream's name (1 to 249 letters, digits and . _ -)\n"},
        {kGood + "[stream.plant.a]\n",
         "s.toml:8:15: a stream has no tables in it (a name with a dot needs quotes: "
         "[stream.\"plant.a\"])\n"},
        {kGood + "[stream.\"sluice.inbound\"]\n",
         "s.toml:8:9: streams named sluice.… are the agent's own (of these you can set sluice.dead-letter "
         "and "
         "sluice.events)\n"},
        {kGood + "[stream.telemetry]\nkafka_topic = \"..\"\n",
         "s.toml:9:15: stream.telemetry.kafka_topic: \"..\" is not a Kafka topic's name (1 to 249 letters, "
         "digits and . "
         "_ -)\n"},
    });
}

TEST_CASE("config: sources: every fault of the connection is found") {
    const std::string rest = "topics = [\"a/#\"]\n[[route]]\ntopic = \"a/b\"\nstream = \"t\"\n";
    const std::string example =
        " is not a broker's address (such as \"mqtt://broker:1883\" or \"mqtts://broker:8883\")\n";
    const std::string url = "[[source.mqtt]]\nurl = ";
    const std::string good = url + "\"mqtt://b\"\n";
    hold({
        {url + "\"tcp://b\"\n" + rest, "s.toml:2:7: source.mqtt.url: \"tcp://b\"" + example},
        {url + "\"mqtt://b:0\"\n" + rest, "s.toml:2:7: source.mqtt.url: \"mqtt://b:0\"" + example},
        {url + "\"mqtt://b:65536\"\n" + rest, "s.toml:2:7: source.mqtt.url: \"mqtt://b:65536\"" + example},
        {url + "\"mqtt://b/x\"\n" + rest, "s.toml:2:7: source.mqtt.url: \"mqtt://b/x\"" + example},
        {url + "\"mqtt://\"\n" + rest, "s.toml:2:7: source.mqtt.url: \"mqtt://\"" + example},
        {url + "\"mqtt://u:p@b\"\n" + rest,
         "s.toml:2:7: source.mqtt.url: has a user in it (use username and password_file)\n"},
        {"[[source.mqtt]]\n" + rest,
         "s.toml:1:1: [[source.mqtt]] needs \"url\" (such as \"mqtt://broker:1883\" or "
         "\"mqtts://broker:8883\")\n"},
        {good + "qos = 3\n" + rest, "s.toml:3:7: source.mqtt.qos: 3 is out of range (from 0 to 2)\n"},
        {good + "version = 5\n" + rest,
         "s.toml:3:11: source.mqtt.version wants a string, not the integer 5 (put it in quotes)\n"},
        {good + "keep_alive = \"1500ms\"\n" + rest,
         "s.toml:3:14: source.mqtt.keep_alive: \"1500ms\" is not a whole number of seconds\n"},
        {good + "keep_alive = \"20h\"\n" + rest,
         "s.toml:3:14: source.mqtt.keep_alive: \"20h\" is out of range (from \"1s\" to \"65535s\")\n"},
        {good + "reconnect_max = \"500ms\"\n" + rest,
         "s.toml:3:17: source.mqtt.reconnect_max: reconnect_min is more than reconnect_max\n"},
        {good + "client_id = \"\"\n" + rest,
         "s.toml:3:13: source.mqtt.client_id: is empty (it names the session that the broker keeps for "
         "us)\n"},
        {good + "tls.verify = true\n" + rest,
         "s.toml:3:1: source.mqtt.tls: has no effect with \"mqtt://b:1883\" (write mqtts://)\n"},
    });
}

TEST_CASE("config: sources: names and sessions are unique, and what two filters share is a warning") {
    const std::string source = "[[source.mqtt]]\nurl = \"mqtt://b\"\ntopics = [\"a/#\"]\n";
    const std::string route = "[[route]]\ntopic = \"a/b\"\nstream = \"t\"\n";
    hold({
        {source + source + route,
         "s.toml:4:1: source.mqtt.name: \"b:1883\" is the name of another source (it is at s.toml:1:1; give "
         "each a name "
         "of its own)\n"},
        {source + "client_id = \"x\"\n" + source + "name = \"2\"\nclient_id = \"x\"\n" + route,
         "s.toml:9:13: source.mqtt.client_id: \"x\" is taken by another source of this broker (it is at "
         "s.toml:4:13; the "
         "two would throw each other out)\n"},
        {"[[source.mqtt]]\nurl = \"mqtt://b\"\ntopics = [\"a/+\", \"b/#\", \"$share/g/a/x\"]\n" + route,
         "s.toml:3:25: warning: \"$share/g/a/x\" overlaps with \"a/+\" (a broker may send such a message "
         "twice; leave "
         "the narrower one out)\n"},
    });
}

TEST_CASE("config: sources: topics are an array of valid topic filters") {
    const std::string head = "[[source.mqtt]]\nurl = \"mqtt://b\"\n";
    const std::string route = "[[route]]\ntopic = \"a/b\"\nstream = \"t\"\n";
    hold({
        {head + route, "s.toml:1:1: [[source.mqtt]] needs \"topics\" (such as topics = [\"factory/#\"])\n"},
        {head + "topics = []\n" + route, "s.toml:3:10: source.mqtt.topics: is empty (name at least one)\n"},
        {head + "topics = \"a/#\"\n" + route,
         "s.toml:3:10: source.mqtt.topics wants an array of strings, not a string (put it in brackets: "
         "[\"…\"])\n"},
        {head + "topics = [\"a/b\", 7, \"a/#/b\", \"\"]\n" + route,
         "s.toml:3:18: source.mqtt.topics wants strings, not the integer 7\n"
         "s.toml:3:21: source.mqtt.topics: topic filter \"a/#/b\": \"#\" must be the last level\n"
         "s.toml:3:30: source.mqtt.topics: topic filter \"\": is empty\n"},
        {head + "topics = [\"a/b\", \"a/{x}\"]\n" + route,
         "s.toml:3:18: source.mqtt.topics: topic filter \"a/{x}\": captures belong to routes; write \"+\" to "
         "subscribe\n"},
    });
}

TEST_CASE("config: routes: every fault is found, and a route that nothing can feed is a warning") {
    const std::string source = "[[source.mqtt]]\nurl = \"mqtt://b\"\ntopics = [\"a/#\", \"$share/g/s/+\"]\n[[route]]\n";
    hold({
        {"[agent]\nid = \"x\"\n",
         "s.toml: there is nothing to receive (add a [listener.mqtt] with bind, or a [[source.mqtt]] with url and "
         "topics)\n"
         "s.toml: nothing would be kept (add a [[route]] with topic and stream)\n"},
        {source,
         "s.toml:4:1: [[route]] needs \"topic\" (such as topic = \"factory/{site}/{device}/telemetry\")\n"
         "s.toml:4:1: [[route]] needs \"stream\" (such as stream = \"telemetry\")\n"},
        {source + "topic = \"a/#/b\"\nstream = \"sluice.events\"\n",
         "s.toml:5:9: route.topic: topic filter \"a/#/b\": \"#\" must be the last level\n"
         "s.toml:6:10: route.stream: streams named sluice.… are the agent's own (choose another name)\n"},
        {source + "topic = \"a/{x}\"\nstream = \"t\"\nkey = \"{y}\"\ntimestamp = \"ts\"\nheaders = { h = 1 }\n",
         "s.toml:7:7: route.key: key template: {y} is not captured by the route's topic\n"
         "s.toml:8:13: route.timestamp: \"ts\" is not a JSON pointer (e.g. \"/ts\")\n"
         "s.toml:9:17: route.headers wants strings, not the integer 1\n"},
        {source + "topic = \"a/{x}\"\nstream = \"t\"\ntimestamp_format = \"ms\"\n",
         "s.toml:7:20: route.timestamp_format: has no effect without timestamp (name the field: timestamp = "
         "\"/ts\")\n"},
        {source + "topic = \"b/{x}\"\nstream = \"t\"\n",
         "s.toml:5:9: warning: route.topic: no source subscribes to anything that matches \"b/{x}\"\n"},
        {source + "topic = \"s/{x}\"\nstream = \"t\"\n", ""},
        {source + "topic = \"a/{x}\"\nstream = \"t\"\n[[route]]\ntopic = \"a/b\"\nstream = \"t\"\n",
         "s.toml:8:9: warning: route.topic: \"a/b\" never gets a message: the route before it, with \"a/{x}\", takes "
         "them all (put the narrower one first)\n"},
        {source + "topic = \"a/{x}\"\nstream = \"t\"\n[stream.u]\n",
         "s.toml:7:9: warning: no route leads to the stream \"u\"\n"},
    });
}

TEST_CASE("config: kafka: every fault is found, and librdkafka judges its own properties") {
    const std::string kafka = kGood + "[kafka]\nbrokers = \"k:9092\"\n";
    const std::string such_as = " is not a host and a port (such as \"kafka-1:9092\")\n";
    hold({
        {kGood + "[kafka]\n",
         "s.toml:8:1: [kafka] needs \"brokers\" (such as brokers = \"kafka-1:9092,kafka-2:9092\")\n"},
        {kGood + "[kafka]\nbrokers = \"k:9092, k2\"\n", "s.toml:9:11: kafka.brokers: \"k2\"" + such_as},
        {kGood + "[kafka]\nbrokers = \"\"\n", "s.toml:9:11: kafka.brokers: \"\"" + such_as},
        {kGood + "[kafka]\nbrokers = \"k:9092,\"\n", "s.toml:9:11: kafka.brokers: \"\"" + such_as},
        {kGood + "[kafka]\nbrokers = \"[::1]:9092\"\n", ""},
        {kGood + "[kafka]\nbrokers = \"SSL://k:9092\"\n",
         "s.toml:9:11: kafka.brokers: \"SSL://k:9092\" is not a host and a port (the protocol is "
         "\"security.protocol\" in "
         "[kafka.properties])\n"},
        {kafka + "[kafka.properties]\n\"linger.ms\" = 5\nsocket.keepalive.enable = true\n", ""},
        {kafka + "[kafka.properties]\n\"linger.ms\" = [1]\n", "s.toml:11:15: linger.ms wants a string, not an array\n"},
        {kafka + "[kafka.properties]\n\"linger.ns\" = 5\n",
         "s.toml:11:1: librdkafka knows no property \"linger.ns\" (its CONFIGURATION.md lists them)\n"},
        {kafka + "[kafka.properties]\nacks = 1\n",
         "s.toml:11:1: librdkafka property \"acks\" can't be set here (the cursor moves only past records "
         "acknowledged by "
         "all in-sync replicas)\n"},
        {kafka + "username = \"u\"\n",
         "s.toml:10:12: warning: kafka.username: has no effect (set \"security.protocol\" in "
         "[kafka.properties] to "
         "SASL_SSL)\n"},
        {kafka + "username = \"u\"\n[kafka.properties]\nsecurity.protocol = \"SASL_SSL\"\nsasl.username = "
                 "\"v\"\n",
         "s.toml:10:12: kafka.username: is also given as \"sasl.username\" (keep one of the two)\n"},
    });
}

TEST_CASE("config: kafka: what librdkafka would find only at its start is found by the check") {
    const auto tls = [](const std::string& more) {
        return faults_of(kGood + "[kafka]\nbrokers = \"k:9092\"\n[kafka.properties]\n\"linger.ms\" = 5\n" +
                         "security.protocol = \"SSL\"\n" + more);
    };
    CHECK(tls("").empty());
    CHECK(
        tls("\"ssl.ca.location\" = \"/no/such/ca.pem\"\nssl.key.location = \"/no/such/key.pem\"\n[agent]\nid = 1\n") ==
        "s.toml:13:21: can't read /no/such/ca.pem: No such file or directory\n"
        "s.toml:14:20: can't read /no/such/key.pem: No such file or directory\n"
        "s.toml:16:6: agent.id wants a string, not the integer 1 (put it in quotes)\n");
    CHECK(tls("ssl.key.location = \"/etc/passwd\"\n").starts_with("s.toml:13:20: librdkafka does not start: "));
    CHECK(tls("ssl.ca.location = \"/etc/passwd\"\n").starts_with("s.toml:13:19: librdkafka does not start: "));
}

TEST_CASE("config: all faults come at once, in the order of the file") {
    const auto text = faults_of(
        "[agent]\nid = 1\nlog_level = \"x\"\n[[source.mqtt]]\nqos = 9\n[[route]]\nkey = 1\n"
        "[storage]\ncommit_bytes = 1\n[kafka]\ndelivery = \"x\"\n");
    std::istringstream lines(text);
    std::vector<std::string> places;
    for (std::string line; std::getline(lines, line);) places.push_back(line.substr(0, line.find(": ")));
    CHECK(places == std::vector<std::string>{"s.toml:2:6", "s.toml:3:13", "s.toml:4:1", "s.toml:4:1", "s.toml:5:7",
                                             "s.toml:6:1", "s.toml:6:1", "s.toml:7:7", "s.toml:9:16", "s.toml:10:1",
                                             "s.toml:11:12"});
}

TEST_CASE("config: a table can't be thinned or lose its oldest records when the disk is full") {
    for (const std::string policy : {"thin", "drop_oldest"}) {
        const auto toml = kGood + "\n[stream.telemetry]\ncleanup = \"compact\"\non_full = \"" + policy + "\"\n";
        const auto faults = faults_of(toml);
        CHECK(faults.find("on_full: a table (cleanup = \"compact\") would lose the latest records of keys") !=
              std::string::npos);
    }
}

TEST_CASE("config: what has no effect, or can't work well, is a warning") {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"[stream.telemetry]\ncleanup = \"compact\"\nretention = \"7d\"\n",
         "warning: stream.telemetry.retention: has no effect on a table (cleanup = \"compact\") (\"compact,delete\")"},
        {"[stream.telemetry]\ndurability = \"memory\"\nforward = false\n",
         "warning: stream.telemetry.durability: saves no writes: only what is forwarded need not be written"},
        {"[storage]\nquota = \"20MiB\"\n", "warning: storage.quota: is less than two segments of the stream"},
        {"[stream.telemetry]\nmin_dirty_ratio = 1.5\n", "stream.telemetry.min_dirty_ratio: 1.5 is out of range"},
    };
    for (const auto& [toml, warning] : cases) {
        const auto faults = faults_of(kGood + "\n" + toml);
        CAPTURE(faults);
        CHECK(faults.find(warning) != std::string::npos);
    }
}

TEST_CASE("config: listener: every fault is found, and no source is needed beside it") {
    const std::string listener = "[listener.mqtt]\nbind = [\"127.0.0.1:1883\"]\n";
    const std::string route = "[[route]]\ntopic = \"a/{device}\"\nstream = \"telemetry\"\n";
    const std::string form =
        " (such as \"127.0.0.1:1883\", \"tls://[::]:8883\", \"ws://127.0.0.1:9001\" or "
        "\"unix:/run/sluice/mqtt.sock\")\n";
    hold({
        {listener + route, ""},
        {"[listener.mqtt]\n" + route,
         "s.toml:1:1: [listener.mqtt] needs \"bind\" (such as bind = [\"127.0.0.1:1883\"])\n"},
        {"[listener.mqtt]\nbind = [\"localhost:1883\", \"127.0.0.1\", \"[::1:1883\", \"127.0.0.1:70000\"]\n" + route,
         "s.toml:2:9: listener.mqtt.bind: \"localhost:1883\" is not an address to listen on" + form +
             "s.toml:2:27: listener.mqtt.bind: \"127.0.0.1\" is not an address to listen on" + form +
             "s.toml:2:40: listener.mqtt.bind: \"[::1:1883\" is not an address to listen on" + form +
             "s.toml:2:53: listener.mqtt.bind: \"127.0.0.1:70000\" is not an address to listen on" + form},
        {"[listener.mqtt]\nbind = [\"127.0.0.1:1883\", \"127.0.0.1:1883\"]\n" + route,
         "s.toml:2:27: listener.mqtt.bind: \"127.0.0.1:1883\" is there twice\n"},
        {"[listener.mqtt]\nbind = [\"wss://127.0.0.1:8883\"]\n" + route,
         "s.toml:2:8: listener.mqtt.bind: has an address with TLS, but there is no certificate (set cert_file and "
         "key_file in [listener.mqtt.tls])\n"},
        {listener + "[listener.mqtt.tls]\nclient_certificate = \"optional\"\n" + route,
         "s.toml:4:22: listener.mqtt.tls.client_certificate: has no effect without ca_file (name who has signed "
         "them)\ns.toml:3:1: warning: listener.mqtt.tls: has no effect (write tls:// or wss:// in bind)\n"},
        {listener + "receive_maximum = 0\n" + route,
         "s.toml:3:19: listener.mqtt.receive_maximum: 0 is out of range (from 1 to 65535)\n"},
        {listener + "local_only = [\"a/#/b\"]\n" + route,
         "s.toml:3:15: listener.mqtt.local_only: topic filter \"a/#/b\": \"#\" must be the last level\n"},
    });
}
