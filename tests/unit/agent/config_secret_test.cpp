#include "agent/config_secret.hpp"

#include "agent/cli/commands.hpp"
#include "tests/unit/agent/support.hpp"

#include <doctest/doctest.h>

using namespace sluice::agent;
using namespace sluice::test;

namespace {

const std::string kSource = "[[source.mqtt]]\nurl = \"mqtt://b\"\ntopics = [\"a/#\"]\nusername = \"u\"\n";
const std::string kRoute = "[[route]]\ntopic = \"a/b\"\nstream = \"t\"\n";

}  // namespace

TEST_CASE("secrets: a password comes from the key, a file or the environment") {
    const ConfigDir dir;
    dir.write("password", "from a file\r\n");
    ::setenv("SLUICE_TEST_PASSWORD", "from the environment", 1);
    const auto password = [&](const std::string& line) {
        const auto loaded = load_config(dir.write("s.toml", kSource + line + "\n" + kRoute), {});
        REQUIRE_MESSAGE(loaded.config, loaded.text());
        CHECK(loaded.warnings.empty());
        return loaded.config->sources.at(0).password;
    };
    CHECK(password("password = \"in place\"") == "in place");
    CHECK(password("password_file = \"password\"") == "from a file");
    CHECK(password("password_env = \"SLUICE_TEST_PASSWORD\"") == "from the environment");
    CHECK(password("") == std::nullopt);
}

TEST_CASE("secrets: what can't be had is an error, and so is more than one place") {
    const ConfigDir dir;
    dir.write("empty", "\n");
    ::setenv("SLUICE_TEST_EMPTY", "", 1);
    const auto fault = [&](const std::string& lines) {
        return faults(dir, load_config(dir.write("s.toml", kSource + lines + kRoute), {}));
    };
    CHECK(fault("password_file = \"none\"\n") ==
          "s.toml:5:17: source.mqtt.password_file: cannot read none: No such file or directory\n");
    CHECK(fault("password_file = \"empty\"\n") == "s.toml:5:17: source.mqtt.password_file: \"empty\" is empty\n");
    CHECK(fault("password_env = \"SLUICE_TEST_NONE\"\n") ==
          "s.toml:5:16: source.mqtt.password_env: the environment has no \"SLUICE_TEST_NONE\" (set it for "
          "the process)\n");
    CHECK(fault("password_env = \"SLUICE_TEST_EMPTY\"\n") ==
          "s.toml:5:16: source.mqtt.password_env: the environment has no \"SLUICE_TEST_EMPTY\" (set it for "
          "the process)\n");
    CHECK(fault("password = \"x\"\npassword_file = \"empty\"\n") ==
          "s.toml:6:17: source.mqtt.password_file: \"empty\" is empty\n"
          "s.toml:6:17: source.mqtt.password_file: \"password\" is given too (keep one of the two)\n");
    CHECK(faults_of("[[source.mqtt]]\nurl = \"mqtt://b\"\ntopics = [\"a/#\"]\npassword = \"x\"\n" + kRoute) ==
          "s.toml:1:1: [[source.mqtt]] needs \"username\" (a password is given)\n");
}

TEST_CASE("secrets: a password that everybody can read where it stands is a warning") {
    const ConfigDir dir;
    const auto warned = [&](const std::string& toml, mode_t mode, const ConfigOverrides& overrides = {}) {
        return faults(dir, load_config(dir.write("s.toml", toml, mode), overrides));
    };
    const auto toml = kSource + "password = \"x\"\n" + kRoute;
    const auto advice = " (use password_file or password_env, or chmod o-r s.toml)\n";
    CHECK(warned(toml, 0640) == "");
    CHECK(warned(toml, 0604) ==
          "s.toml:5:12: warning: everybody on this machine can read the password here" + std::string(advice));
    CHECK(warned(kSource + kRoute, 0644) == "");
    CHECK(warned(kSource + kRoute + "[kafka]\nbrokers = \"k:1\"\n[kafka.properties]\n\"ssl.key.password\" = \"x\"\n",
                 0644) ==
          "s.toml:11:22: warning: everybody on this machine can read \"ssl.key.password\" here" + std::string(advice));
    const auto kafka = kSource + kRoute + "[kafka]\nbrokers = \"k:1\"\nusername = \"u\"\n[kafka.properties]\n" +
                       "security.protocol = \"SASL_SSL\"\nsasl.mechanism = \"PLAIN\"\n";
    CHECK(warned(kafka, 0600, {.data_dir = {}, .id = {}, .sets = {"kafka.password=x"}}) ==
          "--set kafka.password:1:16: warning: the password is in the list of processes, which everybody can "
          "read (use "
          "password_file or password_env)\n");
}

TEST_CASE("secrets: no output of the check shows one, whether the configuration is good or not") {
    const ConfigDir dir;
    const std::string secret = "hunter2";
    const auto config = [&](const std::string& more) {
        return dir.write("s.toml",
                         "[[source.mqtt]]\nurl = \"mqtt://b\"\ntopics = [\"a/#\"]\nusername = \"u\"\npassword = \"" +
                             secret + "\"\n" + kRoute + "[kafka]\nbrokers = \"k:9092\"\nusername = \"u\"\n" +
                             "password = \"" + secret + "\"\n" + more + "[kafka.properties]\n" +
                             "security.protocol = \"SASL_SSL\"\nsasl.mechanism = \"PLAIN\"\n" +
                             "\"ssl.key.password\" = \"" + secret + "\"\n\"sasl.oauthbearer.config\" = \"" + secret +
                             "\"\n",
                         0644);
    };
    for (const std::string more : {"", "partitions = 0\n", "password = \"hunter2\"\n", "password_env = \"NONE\"\n"}) {
        CAPTURE(more);
        const Captured captured;
        const auto exit_code = check_command({config(more), {}});
        CHECK(exit_code == (more.empty() ? kExitSuccess : kExitBadConfig));
        CHECK(captured.out().find(secret) == std::string::npos);
        CHECK(captured.err().find(secret) == std::string::npos);
        if (more.empty()) {
            CHECK(captured.out().find("user u, password ***") != std::string::npos);
            CHECK(captured.out().find("sasl.password = ***") != std::string::npos);
        }
    }
    const Captured captured;
    CHECK(check_command({config(""), {{}, {}, {"kafka.password=[\"" + secret + "\"]"}}}) == kExitBadConfig);
    CHECK(check_command({config(""), {{}, {}, {"kafka..password=" + secret}}}) == kExitBadConfig);
    CHECK(captured.err().find(secret) == std::string::npos);
}

TEST_CASE("secrets: librdkafka's secret properties are known") {
    for (const auto* name : {"sasl.password", "ssl.key.password", "ssl.keystore.password",
                             "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config", "ssl.key.pem"}) {
        CAPTURE(name);
        CHECK(is_secret_property(name));
    }
    for (const auto* name : {"sasl.username", "security.protocol", "ssl.ca.location", "linger.ms"}) {
        CAPTURE(name);
        CHECK_FALSE(is_secret_property(name));
    }
}
