// The documents and examples say what the parser knows: every key, nothing else.
#include "agent/config_reference.hpp"
#include "agent/config_text_file.hpp"
#include "tests/unit/agent/support.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace sluice::agent;
using namespace sluice::test;

namespace {

const std::string kSourceDir = SLUICE_SOURCE_DIR;

std::string text_of(const std::string& name) {
    const auto text = read_text_file(kSourceDir + "/" + name, 1U << 20U);
    REQUIRE_MESSAGE(text.has_value(), text.error().message());
    return *text;
}

std::set<std::string> key_names() {
    std::set<std::string> names;
    for (const auto& key : config_keys()) names.insert(key.name);
    return names;
}

/// The keys of the full example, sections too, commented out or not: "[kafka]" and then "brokers = …" or "# brokers =
/// …".
std::set<std::string> example_keys() {
    std::set<std::string> keys;
    std::string section;
    std::istringstream lines(text_of("configs/sluice-full.toml"));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("# ")) line.erase(0, 2);
        if (line.starts_with("[")) {
            const auto begin = line.find_first_not_of('[');
            section = line.substr(begin, line.find(']') - begin);
            if (section.starts_with("stream.")) section = "stream.NAME";
            if (section == "kafka.properties") keys.insert(section);
            continue;
        }
        const auto end = line.find(" = ");
        if (end == std::string::npos || line.find_first_of(" \"") != end || section == "kafka.properties") continue;
        keys.insert(section + "." + line.substr(0, end));
    }
    return keys;
}

}  // namespace

TEST_CASE("config: docs/configuration.md says of each key what its reader says") {
    const auto page = text_of("docs/configuration.md");
    CHECK(with_config_reference(page) == page);  // else: build/release/tests/config_reference docs/configuration.md
    for (const auto& key : config_keys()) {
        CAPTURE(key.name);
        CHECK(page.find("\n| `" + key.name + "` |") != std::string::npos);  // its section has a table
        CHECK(key.meaning.size() > 10);
    }
}

TEST_CASE("config: a table of the reference that is out of date is written anew, and nothing else") {
    const auto page = text_of("docs/configuration.md");
    auto stale = page;
    const auto row = stale.find("| `agent.data_dir`");
    REQUIRE(row != std::string::npos);
    stale.replace(row, 5, "| `no");
    CHECK(with_config_reference(stale) == page);
}

TEST_CASE("config: configs/sluice-full.toml has every key of the parser, and no other") {
    CHECK(example_keys() == key_names());
}

TEST_CASE("config: every file in configs/ loads with no error and no warning") {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(kSourceDir + "/configs")) {
        if (entry.path().extension() != ".toml") continue;
        CAPTURE(entry.path());
        CHECK(load_config(entry.path().string(), {}).text() == "");
        ++count;
    }
    CHECK(count >= 3);
}

TEST_CASE("config: the full example's values are the defaults, where a default exists") {
    const auto full = load_config(kSourceDir + "/configs/sluice-full.toml", {});
    REQUIRE(full.config);
    const auto bare = load_config(kSourceDir + "/configs/sluice-bridge.toml", {});
    REQUIRE(bare.config);
    CHECK(full.config->data_dir == bare.config->data_dir);
    CHECK(full.config->shutdown_timeout == bare.config->shutdown_timeout);
    CHECK(full.config->log_level == bare.config->log_level);
    CHECK(full.config->log_format == bare.config->log_format);
    const auto& a = full.config->sources.at(0);
    const auto& b = bare.config->sources.at(0);
    CHECK(a.qos == b.qos);
    CHECK(a.version == b.version);
    CHECK(a.keep_alive == b.keep_alive);
    CHECK(a.session_expiry == b.session_expiry);
    CHECK(a.connect_timeout == b.connect_timeout);
    CHECK(a.reconnect_min == b.reconnect_min);
    CHECK(a.reconnect_max == b.reconnect_max);
    CHECK(a.receive_maximum == b.receive_maximum);
    const auto listening = load_config(kSourceDir + "/configs/sluice-minimal.toml", {});
    REQUIRE(listening.config);
    const auto& l = *full.config->listener;
    const auto& m = *listening.config->listener;
    CHECK(l.connections_max == m.connections_max);
    CHECK(l.connection_rate_max == m.connection_rate_max);
    CHECK(l.broker.packet_bytes_max == m.broker.packet_bytes_max);
    CHECK(l.broker.keep_alive_max == m.broker.keep_alive_max);
    CHECK(l.broker.receive_maximum == m.broker.receive_maximum);
    CHECK(l.broker.topic_alias_maximum == m.broker.topic_alias_maximum);
    CHECK(l.broker.session_expiry_max == m.broker.session_expiry_max);
    CHECK(l.broker.queue.messages_max == m.broker.queue.messages_max);
    CHECK(l.broker.queue.all_bytes_max == m.broker.queue.all_bytes_max);
    CHECK(l.broker.subscriptions_max == m.broker.subscriptions_max);
    CHECK(l.broker.retain_available == m.broker.retain_available);
    const auto& s = full.config->streams.at("telemetry");
    const auto& t = bare.config->streams.at("telemetry");
    CHECK(s.forward == t.forward);
    CHECK(s.log.durability == t.log.durability);
    CHECK(s.log.compression == t.log.compression);
    CHECK(s.log.segment_bytes == t.log.segment_bytes);
    CHECK(s.log.segment_age == t.log.segment_age);
    CHECK(s.log.retention == t.log.retention);
    CHECK(s.log.hold_until_forwarded == t.log.hold_until_forwarded);
    CHECK(full.config->commit.commit_interval == bare.config->commit.commit_interval);
    CHECK(full.config->commit.commit_bytes == bare.config->commit.commit_bytes);
    CHECK(full.config->commit.queue_records_max == bare.config->commit.queue_records_max);
    CHECK(full.config->commit.queue_bytes_max == bare.config->commit.queue_bytes_max);
    CHECK(full.config->kafka->inflight_bytes == bare.config->kafka->inflight_bytes);
    CHECK(full.config->kafka->compression == bare.config->kafka->compression);
    CHECK(full.config->kafka->topics == bare.config->kafka->topics);
    CHECK(full.config->kafka->partitions == bare.config->kafka->partitions);
    CHECK(full.config->kafka->cursor_interval == bare.config->kafka->cursor_interval);
    CHECK(full.config->kafka->retry_min == bare.config->kafka->retry_min);
    CHECK(full.config->kafka->retry_max == bare.config->kafka->retry_max);
}
