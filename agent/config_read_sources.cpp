#include "agent/config_names.hpp"
#include "agent/config_read.hpp"
#include "agent/config_secret.hpp"

#include <algorithm>
#include <map>

namespace sluice::agent {

namespace {

using bridge::mqtt::ProtocolVersion;
using bridge::mqtt::SourceOptions;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""s;

constexpr const char* kUrlExample = "such as \"mqtt://broker:1883\" or \"mqtts://broker:8883\"";
constexpr std::string_view kPlain = "mqtt://";
constexpr std::string_view kTls = "mqtts://";

/// "mqtt://host:port", with the port in it; nullopt after an error.
std::optional<HostPort> read_url(ConfigSection& section, std::string& url) {
    std::string text;
    if (!section.read("url", text, "`mqtt://host[:port]` (1883) or `mqtts://host[:port]` (8883)")) {
        if (!section.has("url")) section.missing("url", kUrlExample);
        return std::nullopt;
    }
    const bool tls = text.starts_with(kTls);
    if (!tls && !text.starts_with(kPlain)) {
        section.error("url", in_quotes(text) + " is not a broker's address", kUrlExample);
        return std::nullopt;
    }
    auto authority = text.substr(tls ? kTls.size() : kPlain.size());
    if (authority.find('@') != std::string::npos) {
        section.error("url", "has a user in it", "use username and password_file");
        return std::nullopt;
    }
    if (authority.ends_with('/')) authority.pop_back();
    auto broker = parse_host_port(authority);
    if (!broker) broker = parse_host_port(authority + (tls ? ":8883" : ":1883"));
    if (!broker) {
        section.error("url", in_quotes(text) + " is not a broker's address", kUrlExample);
        return std::nullopt;
    }
    url = std::string(tls ? kTls : kPlain) + broker->host + ":" + std::to_string(broker->port);
    return broker;
}

void read_topics(ConfigSection& section, std::vector<std::string>& topics) {
    const auto values = section.strings("topics", "topic filters to subscribe to; `$share/GROUP/…` too");
    if (!section.has("topics")) section.missing("topics", "such as topics = [\"factory/#\"]");
    std::vector<bridge::mqtt::TopicFilter> filters;
    for (const auto* value : values) {
        const auto& topic = *value->get_if<std::string>();
        auto& diagnostics = section.context().diagnostics;
        auto filter = subscribed_filter(topic);
        if (!filter) {
            diagnostics.error(value->place, "source.mqtt.topics: " + filter.error().message());
            continue;
        }
        const auto other =
            std::find_if(filters.begin(), filters.end(), [&](const auto& before) { return before.overlaps(*filter); });
        if (other != filters.end()) {
            diagnostics.warning(value->place,
                                in_quotes(topic) + " overlaps with " +
                                    in_quotes(topics[static_cast<std::size_t>(other - filters.begin())]),
                                "a broker may send such a message twice; leave the narrower one out");
        }
        topics.push_back(topic);
        filters.push_back(std::move(*filter));
    }
}

void read_tls(ConfigSection& source, const std::string& url, bridge::mqtt::TlsOptions& tls) {
    auto section = subsection(source, "tls");
    section.read_path("ca_file", tls.ca_file,
                      {"PEM, who may have signed the broker's certificate", "the system's trust store"});
    section.read_path("cert_file", tls.cert_file, "PEM, our certificate and its chain");
    section.read_path("key_file", tls.key_file, "PEM, its key, without a pass phrase");
    section.read("verify", tls.verify, "`false` trusts any broker: for a test bench only");
    section.refuse_unknown();
    check_tls_files(section, tls.ca_file, tls.cert_file, tls.key_file);
    if (url.starts_with(kPlain) && !section.entries().empty()) {
        source.error("tls", "has no effect with " + in_quotes(url), "write mqtts://");
    }
    if (!tls.verify) section.warning("verify", "any broker is trusted", "for a test bench only");
}

void read_connection(ConfigSection& section, SourceOptions& source) {
    section.read_integer<std::uint8_t>("qos", source.qos, 0, 2, "the highest QoS that messages come with");
    section.read_choice<ProtocolVersion>("version", source.version,
                                         {{"5", ProtocolVersion::v5}, {"3.1.1", ProtocolVersion::v3_1_1}},
                                         "the version of the protocol");
    section.read("keep_alive", source.keep_alive, 1s, 65535s,
                 "a broker that is silent for one and a half of this is gone");
    section.read("session_expiry", source.session_expiry, 0s, 24h * 365,
                 "how long the broker keeps messages while we are away (MQTT 5; with 3.1.1 the broker decides)");
    section.read("connect_timeout", source.connect_timeout, 100ms, 1h, "how long an attempt to connect may take");
    section.read("reconnect_min", source.reconnect_min, 10ms, 1h,
                 "waits between attempts double from here, with jitter …");
    section.read("reconnect_max", source.reconnect_max, 10ms, 24h,
                 "… up to here. They start over once a connection has lasted for twice this time (1 to 10 minutes)");
    if (source.reconnect_min > source.reconnect_max) {
        section.error(section.has("reconnect_max") ? "reconnect_max" : "reconnect_min",
                      "reconnect_min is more than reconnect_max");
    }
    section.read_integer<std::uint16_t>("receive_maximum", source.receive_maximum, 1, 65535,
                                        "messages of QoS 1 and 2 on the way to us at a time (MQTT 5)");
}

void read_user(ConfigSection& section, SourceOptions& source) {
    section.read("username", source.username, "the user that the broker knows us as");
    const bool password = read_password(section, source.password, "the password, with `username`; one of these three");
    if (password && !section.has("username")) section.missing("username", "a password is given");
}

void read_source(ConfigSection& section, const std::string& agent_id, SourceOptions& source) {
    const auto broker = read_url(section, source.url);
    if (broker) source.name = broker->host + ":" + std::to_string(broker->port);
    if (section.read(
            "name", source.name,
            {"unique; part of log lines and of the default client id", "host and port of `url`", "identity ¹"}) &&
        !is_identity(source.name)) {
        section.error("name", in_quotes(source.name) + " is not a name", "1 to 128 letters, digits and . _ : - [ ]");
    }
    read_topics(section, source.topics);
    read_connection(section, source);
    source.client_id = "sluice-" + agent_id + "-" + source.name;
    if (section.read("client_id", source.client_id,
                     {"names the session that the broker keeps for us: unique for a broker, the same over restarts",
                      "`sluice-AGENT-NAME`"}) &&
        source.client_id.empty()) {
        section.error("client_id", "is empty", "it names the session that the broker keeps for us");
    }
    read_user(section, source);
    read_tls(section, source.url, source.tls);
    section.refuse_unknown();
}

}  // namespace

storage::Result<bridge::mqtt::TopicFilter> subscribed_filter(std::string_view topic) {
    constexpr std::string_view kShare = "$share/";
    if (topic.find_first_of("{}") != std::string_view::npos) {
        return storage::Error(storage::Errc::invalid, "topic filter " + in_quotes(topic) +
                                                          ": captures belong to routes; write \"+\" to subscribe");
    }
    if (topic.starts_with(kShare)) {
        const auto slash = topic.find('/', kShare.size());
        topic.remove_prefix(slash == std::string_view::npos ? topic.size() : slash + 1);
    }
    return bridge::mqtt::TopicFilter::parse(topic);
}

void read_sources(ConfigSection& top, Config& config) {
    auto kinds = subsection(top, "source");
    const auto tables = kinds.tables("mqtt");
    std::map<std::string, Place> names;
    std::map<std::string, Place> sessions;
    for (const auto* table : tables) {
        auto section = array_section(kinds, "mqtt", *table);
        auto& source = config.sources.emplace_back();
        read_source(section, config.id, source);
        if (source.name.empty()) continue;
        const auto [named, is_new] = names.emplace(source.name, section.place_of("name"));
        if (!is_new) {
            section.error("name", in_quotes(source.name) + " is the name of another source",
                          "it is at " + to_string(named->second) + "; give each a name of its own");
            continue;
        }
        const auto [session, is_free] =
            sessions.emplace(source.url + " " + source.client_id, section.place_of("client_id"));
        if (!is_free) {
            section.error("client_id", in_quotes(source.client_id) + " is taken by another source of this broker",
                          "it is at " + to_string(session->second) + "; the two would throw each other out");
        }
    }
    if (!kinds.has("mqtt") && !config.listener) {
        top.context().diagnostics.error(top.place_of("source"), "there is nothing to receive",
                                        "add a [listener.mqtt] with bind, or a [[source.mqtt]] with url and topics");
    }
    kinds.refuse_unknown();
}

}  // namespace sluice::agent
