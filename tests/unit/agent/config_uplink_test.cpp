// [uplink] and what it changes elsewhere.
#include "tests/unit/agent/support.hpp"

#include <doctest/doctest.h>

using namespace sluice::agent;
using namespace sluice::test;
using sluice::bridge::kafka::StreamTarget;

TEST_CASE("config: [uplink] is read, and what is wrong in it is said") {
    CHECK(faults_of(kGood + "[uplink]\nwindows = [\"22:00-06:00\", \"9:00-10:00\"]\n")
              .find("\"9:00-10:00\" is not a time of day to another (such as \"22:00-06:00\")") != std::string::npos);
    CHECK(faults_of(kGood + "[uplink]\nrate = \"1B\"\n").find("rate") != std::string::npos);
    CHECK(faults_of(kGood + "[uplink]\nburst = \"64KiB\"\n").find("has no effect without a rate") != std::string::npos);
    CHECK(faults_of(kGood + "[uplink]\nclock = \"utc\"\n").find("has no effect without windows") != std::string::npos);
}

TEST_CASE("config: with an uplink.rate records are compressed by zstd, unless it is said otherwise") {
    const ConfigDir dir;
    const auto kafka_of = [&](const std::string& text) {
        const auto loaded = load_config(dir.write("sluice.toml", text), {});
        CAPTURE(loaded.text());
        REQUIRE(loaded.config);
        return *loaded.config->kafka;
    };
    const std::string uplink = "[uplink]\nrate = \"64KiB\"\nwindows = [\"22:00-06:00\"]\n";
    const std::string without =
        "[agent]\nid = \"a\"\n[listener.mqtt]\nbind = [\"127.0.0.1:1883\"]\n"
        "[[route]]\ntopic = \"#\"\nstream = \"s\"\n[kafka]\nbrokers = \"k:9092\"\n";
    CHECK(kafka_of(without).compression == "lz4");
    const auto thin = kafka_of(without + uplink);
    CHECK(thin.uplink.rate == 64U << 10U);
    CHECK_FALSE(thin.uplink.windows.is_always_open());
    CHECK(thin.compression == "zstd");
    CHECK(thin.properties.at("compression.level") == "1");
    const auto said = kafka_of(without + "compression = \"lz4\"\n" + uplink);
    CHECK(said.compression == "lz4");
    CHECK_FALSE(said.properties.contains("compression.level"));
    CHECK(kafka_of(without + uplink + "[kafka.properties]\n\"compression.level\" = 9\n")
              .properties.at("compression.level") == "9");
}

TEST_CASE("config: order, backlog_share and forward_priority of a stream") {
    const ConfigDir dir;
    const std::string text =
        "[agent]\nid = \"a\"\n[listener.mqtt]\nbind = [\"127.0.0.1:1883\"]\n"
        "[[route]]\ntopic = \"#\"\nstream = \"s\"\n[kafka]\nbrokers = \"k:9092\"\n[stream.s]\n";
    const auto loaded = load_config(
        dir.write("sluice.toml", text + "order = \"live_first\"\nbacklog_share = 0.2\nforward_priority = \"high\"\n"),
        {});
    CHECK(loaded.text() == "");
    REQUIRE(loaded.config);
    const auto& stream = loaded.config->streams.at("s");
    CHECK(stream.order == StreamTarget::Order::live_first);
    CHECK(stream.backlog_share == doctest::Approx(0.2));
    CHECK(stream.forward_weight > sluice::bridge::kafka::kNormalWeight);
    CHECK(loaded.config->streams.at("sluice.events").order == StreamTarget::Order::fifo);
    CHECK(faults_of(text + "order = \"live_first\"\nbacklog_share = 1.0\n")
              .find("1 is out of range (from 0.01 to 0.99)") != std::string::npos);
    CHECK(faults_of(text + "backlog_share = 0.5\n").find("has no effect") != std::string::npos);
    CHECK(faults_of(text + "order = \"live_first\"\ncleanup = \"compact\"\n").find("readers of a table") !=
          std::string::npos);
}
