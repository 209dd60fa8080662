#include "bridge/mqtt/paho_source.hpp"

#include "bridge/backoff.hpp"
#include "bridge/mqtt/connect_fault.hpp"
#include "bridge/mqtt/paho_persistence.hpp"
#include "bridge/mqtt/paho_words.hpp"

#include <mqtt/async_client.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kAnswerPatience = 10s;  // for SUBACK and UNSUBACK
constexpr auto kLook = 100ms;          // so often is looked whether a wait has lost its sense
constexpr auto kDisconnectTimeout = 2s;
constexpr std::chrono::milliseconds kLastingMin = 1min;  // until a connection has lasted, the next attempt waits longer
constexpr std::chrono::milliseconds kLastingMax = 10min;
constexpr int kFlapping = 3;  // so many shorter ones in a row are one trouble, and not each a new one

/// Paho knows tcp:// and ssl://.
std::string paho_url(const std::string& url) {
    if (url.starts_with("mqtts://")) return "ssl://" + url.substr(8);
    if (url.starts_with("mqtt://")) return "tcp://" + url.substr(7);
    return url;
}

::mqtt::ssl_options tls_options(const TlsOptions& tls) {
    ::mqtt::ssl_options options;
    if (tls.ca_file) options.set_trust_store(*tls.ca_file);
    if (tls.cert_file) options.set_key_store(*tls.cert_file);
    if (tls.key_file) options.set_private_key(*tls.key_file);
    options.set_enable_server_cert_auth(tls.verify);
    options.set_verify(tls.verify);  // the host name too
    return options;
}

::mqtt::connect_options connect_options(const SourceOptions& source) {
    ::mqtt::connect_options options;
    options.set_mqtt_version(static_cast<int>(source.version));
    if (source.version == ProtocolVersion::v5) {
        options.set_clean_start(false);
        ::mqtt::properties properties;
        properties.add(
            {::mqtt::property::SESSION_EXPIRY_INTERVAL, static_cast<int32_t>(source.session_expiry.count())});
        properties.add({::mqtt::property::RECEIVE_MAXIMUM, static_cast<int32_t>(source.receive_maximum)});
        options.set_properties(std::move(properties));
    } else {
        options.set_clean_session(false);
    }
    options.set_keep_alive_interval(source.keep_alive);
    options.set_connect_timeout(std::chrono::ceil<std::chrono::seconds>(source.connect_timeout));
    options.set_automatic_reconnect(false);
    if (source.username) options.set_user_name(*source.username);
    if (source.password) options.set_password(*source.password);
    if (source.url.starts_with("mqtts://")) options.set_ssl(tls_options(source.tls));
    return options;
}

/// Whether a SUBACK or UNSUBACK has a reason code that says no.
template <class Response>
bool refuses(const Response& response) {
    return std::ranges::any_of(response.get_reason_codes(), [](auto code) { return code >= 0x80; });
}

std::optional<std::string> text_property(const ::mqtt::properties& properties, ::mqtt::property::code code) {
    if (!properties.contains(code)) return std::nullopt;
    return ::mqtt::get<::mqtt::string>(properties, code);
}

Message to_message(const ::mqtt::message& from) {
    Message message;
    message.topic = from.get_topic();
    message.payload = from.get_payload_str();
    message.qos = static_cast<std::uint8_t>(from.get_qos());
    message.retain = from.is_retained();
    const auto& properties = from.get_properties();
    if (properties.empty()) return message;
    message.content_type = text_property(properties, ::mqtt::property::CONTENT_TYPE);
    message.response_topic = text_property(properties, ::mqtt::property::RESPONSE_TOPIC);
    message.correlation_data = text_property(properties, ::mqtt::property::CORRELATION_DATA);
    const auto count = properties.count(::mqtt::property::USER_PROPERTY);
    for (std::size_t i = 0; i < count; ++i) {
        auto [key, value] = ::mqtt::get<::mqtt::string_pair>(properties, ::mqtt::property::USER_PROPERTY, i);
        message.user_properties.emplace_back(std::move(key), std::move(value));
    }
    return message;
}

}  // namespace

class PahoSource::Impl {
 public:
    Impl(SourceOptions options, Ingest& ingest, storage::Catalog& catalog, Report report)
        : options_(std::move(options)),
          ingest_(ingest),
          catalog_(catalog),
          component_("mqtt " + options_.name),
          report_(std::move(report)),
          trouble_(report_, component_),
          persistence_(options_.name, options_.version, ingest),
          backoff_(options_.reconnect_min, options_.reconnect_max, std::random_device()()),
          thread_([this] { run(); }) {}

    ~Impl() {
        if (thread_.joinable()) thread_.join();
    }

    void begin_stop() {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        changed_.notify_all();
    }

    bool finish_stop(SteadyClock::time_point deadline) {
        std::unique_lock lock(mutex_);
        return changed_.wait_until(lock, deadline, [this] { return ended_; });
    }

    SourceStatus status() const { return {options_.name, ready_, connections_, link_.read()}; }

 private:
    void run() {
        try {
            ::mqtt::async_client client(paho_url(options_.url), options_.client_id,
                                        ::mqtt::create_options(static_cast<int>(options_.version)), &persistence_);
            client.set_message_callback([this](const ::mqtt::const_message_ptr& message) { arrived(*message); });
            client.set_connection_lost_handler([this](const std::string& /*cause*/) { lost({}); });
            client.set_disconnected_handler([this](const ::mqtt::properties& /*p*/, ::mqtt::ReasonCode reason) {
                lost(end_of_connection(reason, options_.client_id));
            });
            while (!stopping()) serve(client);
        } catch (const std::exception& error) {
            report_(Severity::error, component_, std::string("stopped: ") + error.what());
        }
        const std::lock_guard lock(mutex_);
        ended_ = true;
        changed_.notify_all();
    }

    /// One connection, from the attempt to its end.
    void serve(::mqtt::async_client& client) {
        const auto session_present = connect(client);
        if (session_present) hold(client, *session_present);
        disconnect(client);
        if (!stopping()) pause(backoff_.next());
    }

    /// @return whether the broker has our session, or nullopt where the attempt failed or the source is to stop
    std::optional<bool> connect(::mqtt::async_client& client) {
        try {
            {
                const std::lock_guard lock(mutex_);
                lost_ = false;
            }
            auto token = client.connect(connect_options(options_));
            const auto patience = SteadyClock::now() + options_.connect_timeout + 1s;
            while (!token->wait_for(kLook)) {
                if (stopping()) return std::nullopt;
                if (SteadyClock::now() > patience) throw ::mqtt::timeout_error();
            }
            ++connections_;
            return token->get_connect_response().is_session_present();
        } catch (const ::mqtt::exception& error) {
            if (stopping()) return std::nullopt;
            const auto refused = refusal(error);
            in_trouble(refused ? *refused : connect_fault(options_));
            return std::nullopt;
        }
    }

    /// A connection that is made, to its end.
    void hold(::mqtt::async_client& client, bool session_present) {
        try {
            subscribe(client, session_present);
            if (!ended_or_lost()) {
                ready_ = true;
                link_.up();
                if (!is_flapping()) {
                    trouble_.over("connected again", SteadyClock::now());
                    report_(Severity::info, component_,
                            session_present ? "connected, the session goes on" : "connected, a new session");
                }
            }
            wait_for_loss();
            ready_ = false;
            if (!stopping()) in_trouble(why_lost());
        } catch (const ::mqtt::exception& error) {
            in_trouble(std::string("connection lost: ") + error.what());
        }
    }

    /// The wait before the next attempt starts over only once a connection has lasted: two clients that take the
    /// session from each other would do so each second, for ever. Each of them waits for reconnect_max at most.
    void wait_for_loss() {
        ++short_connections_;
        if (wait(std::clamp(2 * options_.reconnect_max, kLastingMin, kLastingMax))) return;
        trouble_.over("connected again, and the connection lasts", SteadyClock::now());
        short_connections_ = 0;
        backoff_.reset();
        {
            const std::lock_guard lock(mutex_);
            reason_.clear();
        }
        while (!wait(1h)) {
        }
    }
    bool is_flapping() const { return short_connections_ >= kFlapping; }

    std::string why_lost() const {
        const std::lock_guard lock(mutex_);
        const std::string what = is_flapping() ? "the connection is lost again and again" : "connection lost";
        if (!reason_.empty()) return what + ": " + reason_;
        return is_flapping() ? what + " (does another client use our client id, " + options_.client_id + "?)" : what;
    }

    /// Subscribes to all that is configured, and unsubscribes from what a session may have from an older configuration.
    /// Always: a broker that crashed goes on with the session as it had last saved it, and nobody says so.
    void subscribe(::mqtt::async_client& client, bool session_present) {
        std::vector<std::string> refused = options_.topics;
        for (const auto& filter : remember_filters(session_present)) unsubscribe_one(client, filter);
        do {
            std::erase_if(refused, [&](const auto& filter) { return subscribe_one(client, filter, options_.qos); });
        } while (!refused.empty() && !wait(backoff_.next()));
    }

    /// Notes down which filters the session may have from now on; none is forgotten before the session is.
    /// @return those that are not configured
    std::vector<std::string> remember_filters(bool session_present) {
        storage::Catalog::Subscriptions filters;
        auto stored = catalog_.subscriptions(options_.name);
        if (session_present && stored) filters = *stored;
        std::vector<std::string> unwanted;
        for (const auto& [filter, qos] : filters) {
            if (std::ranges::find(options_.topics, filter) == options_.topics.end()) unwanted.push_back(filter);
        }
        for (const auto& filter : options_.topics) filters[filter] = options_.qos;
        if (stored && *stored == filters) return unwanted;
        if (auto done = catalog_.store_subscriptions(options_.name, filters); !done) {
            report_(Severity::warning, component_, done.error().message());
        }
        return unwanted;
    }

    /// What is refused is asked again at the next connection.
    void unsubscribe_one(::mqtt::async_client& client, const std::string& filter) {
        auto token = client.unsubscribe(filter);
        if (!wait_for_answer(*token, filter) || options_.version != ProtocolVersion::v5) return;
        if (!refuses(token->get_unsubscribe_response())) return;
        report_(Severity::warning, component_, "the broker doesn't end the subscription to " + filter);
    }

    /// It comes after the messages that are on their way, which may have to wait for space on the disk. Paho waits for
    /// it even when the connection is lost.
    bool wait_for_answer(::mqtt::token& token, const std::string& filter) {
        const auto patience = SteadyClock::now() + kAnswerPatience;
        while (!token.wait_for(kLook)) {
            if (ended_or_lost()) return false;
            const auto now = SteadyClock::now();
            if (now > patience) in_trouble("subscription to " + filter + ": no answer yet");
        }
        return true;
    }

    bool subscribe_one(::mqtt::async_client& client, const std::string& filter, int qos) {
        ::mqtt::subscribe_options options;
        if (options_.version == ProtocolVersion::v5) {
            options = ::mqtt::subscribe_options(false, true, ::mqtt::subscribe_options::SEND_RETAINED_ON_NEW);
        }
        std::string why;
        try {
            auto token = client.subscribe(filter, qos, options);
            if (!wait_for_answer(*token, filter)) return false;
            if (!refuses(token->get_subscribe_response())) return true;
            why = "refused by the broker (may this user read it?)";
        } catch (const ::mqtt::exception& error) {
            if (!client.is_connected()) throw;
            why = "refused by the broker: " + std::string(error.what());
        }
        in_trouble("subscription to " + filter + ": " + why);
        return false;
    }

    void disconnect(::mqtt::async_client& client) {
        try {
            if (client.is_connected()) client.disconnect()->wait_for(kDisconnectTimeout);
        } catch (const ::mqtt::exception&) {
            // It is gone one way or the other.
        }
    }

    void arrived(const ::mqtt::message& message) {
        if (message.get_qos() == 2) return;  // accepted when it was stored (paho_persistence.hpp)
        ingest_.accept(options_.name, to_message(message), std::nullopt);
    }

    void in_trouble(const std::string& why) {
        if (!ready_) link_.down(why);
        trouble_.trouble(why, SteadyClock::now());
    }

    void lost(const std::string& reason) {
        const std::lock_guard lock(mutex_);
        lost_ = true;
        if (!reason.empty()) reason_ = reason;
        changed_.notify_all();
    }

    /// Waits; true where the connection is lost or the source is to stop.
    bool wait(std::chrono::milliseconds duration) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, duration, [this] { return stopping_ || lost_; });
    }
    void pause(std::chrono::milliseconds duration) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, duration, [this] { return stopping_; });
    }
    bool stopping() const {
        const std::lock_guard lock(mutex_);
        return stopping_;
    }
    bool ended_or_lost() const {
        const std::lock_guard lock(mutex_);
        return stopping_ || lost_;
    }

    const SourceOptions options_;
    Ingest& ingest_;
    storage::Catalog& catalog_;
    const std::string component_;
    const Report report_;
    TroubleReport trouble_;
    LinkState link_;
    PahoPersistence persistence_;
    Backoff backoff_;
    int short_connections_ = 0;  // in a row
    std::atomic<bool> ready_{false};
    std::atomic<std::uint64_t> connections_{0};
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    bool lost_ = false;
    std::string reason_;  // the last that was given since a connection lasted
    bool ended_ = false;
    std::thread thread_;  // last: it uses all of the above
};

PahoSource::PahoSource(SourceOptions options, Ingest& ingest, storage::Catalog& catalog, Report report)
    : impl_(std::make_unique<Impl>(std::move(options), ingest, catalog, std::move(report))) {}

PahoSource::~PahoSource() {
    if (!impl_) return;
    begin_stop();
}

void PahoSource::begin_stop() {
    impl_->begin_stop();
}

bool PahoSource::finish_stop(SteadyClock::time_point deadline) {
    return impl_->finish_stop(deadline);
}

SourceStatus PahoSource::status() const {
    return impl_->status();
}

}  // namespace sluice::bridge::mqtt
