// listener.hpp: the agent's own MQTT server on the network: sockets, TLS, and the `net` thread that serves them all.
//
// Why: a device's PUBACK means that its message is on the gateway's disk. Thousands of messages of many connections
// share a sync (storage/group_commit.hpp); the broker behind it is bridge/mqtt/broker.hpp.
#pragma once

#include "bridge/message.hpp"
#include "bridge/mqtt/acceptor.hpp"
#include "bridge/mqtt/access.hpp"
#include "bridge/mqtt/broker_options.hpp"
#include "bridge/mqtt/gatekeeper.hpp"
#include "bridge/mqtt/tls_context.hpp"
#include "bridge/report.hpp"
#include "storage/clock.hpp"
#include "storage/duration_histogram.hpp"
#include "storage/result.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::bridge::mqtt {

struct ListenerOptions {
    std::vector<std::string> bind{};  ///< endpoint.hpp
    AccessOptions access{};
    ServerTlsOptions tls{};                      ///< for those of `bind` that have it
    std::size_t connections_max = 1000;          ///< more are closed at once
    std::size_t connections_an_address_max = 0;  ///< … from one host; 0: any number
    unsigned connection_rate_max = 1000;         ///< new ones a second; more wait
    BrokerOptions broker{};
};

class Listener {
 public:
    struct Status {
        std::uint64_t connections = 0;
        std::uint64_t sessions = 0;
        std::uint64_t subscriptions = 0;
        std::uint64_t retained = 0;
        std::uint64_t received = 0;  ///< messages of clients, since the start
        std::uint64_t accepted = 0;  ///< … that are durable, or local only
        std::uint64_t local_only = 0;
        std::uint64_t sent = 0;
        std::uint64_t dropped = 0;
        std::uint64_t refused = 0;         ///< connections and logins
        std::uint64_t not_authorized = 0;  ///< publishes and subscriptions
        std::uint64_t faults = 0;          ///< connections that broke the protocol
        storage::DurationHistogram::Reading acknowledgement{};
    };

    /// Binds, and serves from then on.
    /// @param sessions_file  the database of what outlives a restart
    /// @return an error that names the address, or the file
    [[nodiscard]] static storage::Result<std::unique_ptr<Listener>> start(ListenerOptions options,
                                                                          const std::string& sessions_file,
                                                                          Acceptor& acceptor,
                                                                          const storage::Clock& clock, Report report);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    /// Reads the password file, the ACL, certificates and keys again, and takes over the limits of connections, of
    /// their rate, of messages and of subscriptions. With an error, all stays as it was.
    /// @param options  of them, everything else is left alone
    [[nodiscard]] storage::Result<void> reload(const ListenerOptions& options);
    /// Takes nothing new, says goodbye to all clients, and ends the thread. What is on its way into the log may still
    /// complete: the object must outlive GroupCommit::stop().
    void stop(std::chrono::steady_clock::time_point deadline);
    /// Hands a message of the agent's own to those who have subscribed, and keeps it if it is a retained one. It goes
    /// to no log. Thread-safe; doesn't wait.
    void publish(Message message);
    /// Thread-safe.
    [[nodiscard]] Status status() const;
    /// The TCP port of the first address, for tests that bind to port 0.
    [[nodiscard]] std::uint16_t port() const;

 private:
    class Impl;
    explicit Listener(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::bridge::mqtt
