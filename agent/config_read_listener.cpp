#include "agent/config_names.hpp"
#include "agent/config_read.hpp"
#include "bridge/mqtt/endpoint.hpp"

#include <algorithm>

namespace sluice::agent {

namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""s;

/// @return whether there is an address with TLS
bool read_bind(ConfigSection& section, bridge::mqtt::ListenerOptions& listener) {
    bool tls = false;
    for (const auto* value : section.strings(
             "bind", {"`\"127.0.0.1:1883\"`, `\"[::]:1883\"`, `\"unix:/run/sluice/mqtt.sock\"`; TLS: "
                      "`\"tls://0.0.0.0:8883\"`; WebSocket: `\"ws://127.0.0.1:9001\"`, `\"wss://0.0.0.0:9443\"`",
                      "", "array of addresses"})) {
        const auto& text = *value->get_if<std::string>();
        if (std::find(listener.bind.begin(), listener.bind.end(), text) != listener.bind.end()) {
            section.context().diagnostics.error(value->place,
                                                "listener.mqtt.bind: " + in_quotes(text) + " is there twice");
            continue;
        }
        if (const auto address = bridge::mqtt::parse_listen_address(text)) {
            listener.bind.push_back(text);
            tls = tls || address->tls;
            continue;
        }
        section.context().diagnostics.error(
            value->place, "listener.mqtt.bind: " + in_quotes(text) + " is not an address to listen on",
            bridge::mqtt::kListenAddressForm);
    }
    if (section.is_there() && !section.has("bind")) section.missing("bind", "such as bind = [\"127.0.0.1:1883\"]");
    return tls;
}

void read_tls(ConfigSection& listener, bool needed, bridge::mqtt::ServerTlsOptions& tls) {
    auto section = subsection(listener, "tls");
    section.read_path("cert_file", tls.cert_file,
                      {"PEM, the listener's certificate and its chain", "required with `tls://` and `wss://`"});
    section.read_path("key_file", tls.key_file, {"PEM, its key, without a pass phrase", "required with `cert_file`"});
    section.read_path("ca_file", tls.ca_file,
                      "PEM, who may have signed clients' certificates; the common name of a client's is its user, "
                      "without a password");
    section.read_choice("client_certificate", tls.client_certificate, {{"required", true}, {"optional", false}},
                        "with `ca_file`: whether a client without one may come, with a password then");
    section.read_choice("min_version", tls.only_1_3, {{"1.2", false}, {"1.3", true}}, "the lowest version of TLS");
    section.refuse_unknown();
    check_tls_files(section, tls.ca_file, tls.cert_file, tls.key_file);
    if (section.has("client_certificate") && !tls.ca_file) {
        section.error("client_certificate", "has no effect without ca_file", "name who has signed them");
    }
    if (needed && !tls.cert_file) {
        listener.error("bind", "has an address with TLS, but there is no certificate",
                       "set cert_file and key_file in [listener.mqtt.tls]");
    }
    if (!needed && section.is_there()) listener.warning("tls", "has no effect", "write tls:// or wss:// in bind");
}

void read_local_only(ConfigSection& section, bridge::mqtt::BrokerOptions& broker) {
    for (const auto* value : section.strings(
             "local_only",
             {"what matches goes to subscribers only, and not into the log", "", "array of topic filters"})) {
        const auto& text = *value->get_if<std::string>();
        if (const auto filter = subscribed_filter(text); !filter) {
            section.context().diagnostics.error(value->place, "listener.mqtt.local_only: " + filter.error().message());
            continue;
        }
        broker.local_only.push_back(text);
    }
}

/// Read here for their faults alone; the agent reads them again when it starts.
void check_access(ConfigSection& section, const bridge::mqtt::AccessOptions& access) {
    for (const auto* key : {"password_file", "acl"}) {
        auto one = access;
        (*key == 'p' ? one.acl_file : one.password_file).reset();
        if (!section.has(key)) continue;
        if (const auto loaded = bridge::mqtt::Access::load(one); !loaded) section.error(key, loaded.error().message());
    }
}

}  // namespace

void read_listener(ConfigSection& top, Config& config) {
    auto kinds = subsection(top, "listener");
    auto section = subsection(kinds, "mqtt");
    bridge::mqtt::ListenerOptions listener;
    auto& broker = listener.broker;
    read_tls(section, read_bind(section, listener), listener.tls);
    bool anonymous = false;
    if (section.read("anonymous", anonymous,
                     {"whether a client may come without a user name", "from this machine only"}))
        listener.access.anonymous = anonymous;
    section.read_path("password_file", listener.access.password_file,
                      "users and their hashed passwords ([access.md](access.md)); `sluice passwd` writes it");
    section.read_path("acl", listener.access.acl_file, "who may publish and subscribe what; without it, everybody all");
    check_access(section, listener.access);
    section.read_integer<std::size_t>("max_connections", listener.connections_max, 1, 100'000,
                                      "more are closed at once");
    section.read_integer<std::size_t>("max_connections_per_address", listener.connections_an_address_max, 1, 100'000,
                                      {"… from one IP address", "any number"});
    section.read_integer<unsigned>("max_connection_rate", listener.connection_rate_max, 1, 100'000,
                                   "new connections a second; more wait");
    section.read_integer<unsigned>(
        "max_message_rate", broker.message_rate_max, 1, 10'000'000,
        {"messages a second of one client; beyond it, it is not listened to for a while", "any number"});
    section.read_size("max_packet_size", broker.packet_bytes_max, 1U << 10U, 16U << 20U,
                      "a longer packet ends its connection");
    section.read("max_keep_alive", broker.keep_alive_max, 1s, 65535s,
                 "announced where a client asks for more, or for none (MQTT 5)");
    section.read_integer<std::uint16_t>("receive_maximum", broker.receive_maximum, 1, 65'535,
                                        "messages of QoS 1 and 2 of one client that are not acknowledged");
    section.read_integer<std::uint16_t>("topic_alias_maximum", broker.topic_alias_maximum, 0, 65'535,
                                        "topic aliases of a client, and of ours to it");
    std::chrono::seconds expiry(broker.session_expiry_max);
    section.read("session_expiry_max", expiry, 0s, 365 * 24h,
                 "how long a session lasts without its client; with MQTT 3.1.1 always so long");
    broker.session_expiry_max = static_cast<std::uint32_t>(expiry.count());
    section.read_integer<std::size_t>("max_queued", broker.queue.messages_max, 1, bridge::mqtt::kQueuedMessagesMax,
                                      "messages that wait for one client, and at most 4 MiB of them");
    section.read_size("max_queued_bytes", broker.queue.all_bytes_max, 1U << 20U, 16ULL << 30U,
                      "… that wait for all clients together; they are in memory and on the disk");
    section.read_integer<std::size_t>("max_subscriptions", broker.subscriptions_max, 1, 100'000,
                                      "subscriptions of one client");
    section.read("retain_available", broker.retain_available, "whether messages are retained");
    read_local_only(section, broker);
    section.refuse_unknown();
    if (section.is_there()) config.listener = std::move(listener);
    kinds.refuse_unknown();
}

}  // namespace sluice::agent
