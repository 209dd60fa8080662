#include "agent/admin/router.hpp"
#include "agent/admin/token.hpp"
#include "agent/config_read.hpp"
#include "agent/config_secret.hpp"
#include "bridge/mqtt/endpoint.hpp"

namespace sluice::agent {

namespace {

constexpr const char* kOff = "off";

/// @return whether other machines can reach the address
bool read_bind(ConfigSection& section, std::optional<std::string>& bind) {
    auto text = bind.value_or(kOff);
    if (!section.read("bind", text,
                      {"where HTTP is served. An address that other machines can reach needs a token and `[admin.tls]`",
                       "", "address, or `\"off\"`"}))
        return false;
    if (text == kOff) {
        bind.reset();
        return false;
    }
    const auto address = bridge::mqtt::parse_listen_address(text);
    const bool plain = address && !address->tls && !address->websocket && !text.starts_with("unix:");
    if (!plain) {
        section.error("bind", in_quotes(text) + " is not an address to listen on",
                      "such as \"127.0.0.1:7878\" or \"[::1]:7878\", or \"off\"; HTTPS is [admin.tls]");
        return false;
    }
    bind = text;
    return !bridge::mqtt::is_loopback(address->endpoint);
}

void read_hosts(ConfigSection& section, std::vector<std::string>& hosts) {
    for (const auto* value : section.strings(
             "hosts", {"names of this machine that clients may use in URLs; addresses and `localhost` always may", "",
                       "array of host names"})) {
        const auto& text = *value->get_if<std::string>();
        const auto host = admin::host_of_header(text);
        if (!host || host->size() != text.size()) {
            section.context().diagnostics.error(value->place, "admin.hosts: " + in_quotes(text) + " is not a host name",
                                                "without scheme and port, such as \"gateway-17.plant.local\"");
            continue;
        }
        hosts.push_back(*host);
    }
}

void read_tls(ConfigSection& parent, bridge::mqtt::ServerTlsOptions& tls) {
    auto section = subsection(parent, "tls");
    section.read_path("cert_file", tls.cert_file, "PEM, the certificate and its chain: HTTPS instead of HTTP");
    section.read_path("key_file", tls.key_file, {"PEM, its key, without a pass phrase", "required with `cert_file`"});
    section.read_choice("min_version", tls.only_1_3, {{"1.2", false}, {"1.3", true}}, "the lowest version of TLS");
    section.refuse_unknown();
    check_tls_files(section, std::nullopt, tls.cert_file, tls.key_file);
}

}  // namespace

void read_admin(ConfigSection& top, Config& config) {
    auto section = subsection(top, "admin");
    auto& options = config.admin;
    const bool reachable = read_bind(section, options.bind);
    const bool has_token = read_secret(
        section, "token", options.token,
        {"with it, all but `/healthz` and `/readyz` needs `Authorization: Bearer TOKEN`; one of these three", "",
         "string, at least 16 characters"});
    if (options.token && options.token->size() < admin::kTokenBytesMin) {
        section.error(section.has("token")        ? "token"
                      : section.has("token_file") ? "token_file"
                                                  : "token_env",
                      "the token is shorter than " + std::to_string(admin::kTokenBytesMin) + " characters",
                      "make one with openssl rand -hex 32");
    }
    read_hosts(section, options.hosts);
    read_tls(section, options.tls);
    if (reachable && (!options.tls.cert_file || !has_token)) {
        section.error("bind", in_quotes(*options.bind) + " can be reached from other machines",
                      "set token_file, and cert_file and key_file in [admin.tls]; or bind to 127.0.0.1");
    }
    section.refuse_unknown();
}

}  // namespace sluice::agent
