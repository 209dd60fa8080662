#include "tests/unit/agent/support.hpp"

#include <doctest/doctest.h>

using namespace sluice::agent;
using namespace sluice::test;

namespace {

LoadedConfig load_admin(const std::string& toml) {
    const ConfigDir dir;
    return load_config(dir.write("s.toml", kGood + toml), {});
}

}  // namespace

TEST_CASE("config: the admin endpoint is on the loopback address by default") {
    const auto loaded = load_admin("");
    REQUIRE(loaded.config);
    CHECK(loaded.config->admin.bind == "127.0.0.1:7878");
    CHECK_FALSE(loaded.config->admin.token);
    CHECK_FALSE(load_admin("[admin]\nbind = \"off\"\n").config->admin.bind);
    CHECK(load_admin("[admin]\nbind = \"[::1]:1\"\nhosts = [\"Gateway.Local\"]\n").config->admin.hosts ==
          std::vector<std::string>{"gateway.local"});
}

TEST_CASE("config: an address that others can reach needs TLS and a token, and the error says so") {
    const std::string todo =
        "s.toml:9:8: admin.bind: \"0.0.0.0:7878\" can be reached from other machines (set token_file, and cert_file "
        "and "
        "key_file in [admin.tls]; or bind to 127.0.0.1)\n";
    CHECK(faults_of(kGood + "[admin]\nbind = \"0.0.0.0:7878\"\n") == todo);
    CHECK(faults_of(kGood + "[admin]\nbind = \"0.0.0.0:7878\"\ntoken = \"0123456789abcdef\"\n") == todo);
    CHECK(faults_of(kGood + "[admin]\nbind = \"[::]:7878\"\n").find("can be reached") != std::string::npos);
    CHECK(faults_of(kGood + "[admin]\nbind = \"192.0.2.1:7878\"\n").find("can be reached") != std::string::npos);
}

TEST_CASE("config: faults of [admin]") {
    CHECK(faults_of(kGood + "[admin]\nbind = \"localhost\"\n") ==
          "s.toml:9:8: admin.bind: \"localhost\" is not an address to listen on (such as \"127.0.0.1:7878\" or "
          "\"[::1]:7878\", or \"off\"; HTTPS is [admin.tls])\n");
    CHECK(faults_of(kGood + "[admin]\nbind = \"tls://127.0.0.1:1\"\n").find("is not an address") != std::string::npos);
    CHECK(faults_of(kGood + "[admin]\ntoken = \"short\"\n") ==
          "s.toml:9:9: admin.token: the token is shorter than 16 characters (make one with openssl rand -hex 32)\n");
    CHECK(faults_of(kGood + "[admin]\nhosts = [\"http://x\"]\n").find("is not a host name") != std::string::npos);
    CHECK(faults_of(kGood + "[admin]\nport = 1\n").find("unknown key \"port\"") != std::string::npos);
}

TEST_CASE("config: a token is never printed") {
    const auto text = faults_of(kGood + "[admin]\ntoken = \"s3cr3t\"\ntoken_env = \"NOT_THERE\"\n");
    CHECK(text.find("s3cr3t") == std::string::npos);
    CHECK(text.find("keep one of the two") != std::string::npos);
}
