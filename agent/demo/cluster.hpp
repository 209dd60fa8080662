// cluster.hpp: the demo's Kafka cluster, that can be taken away and brought back.
#pragma once

#include "agent/demo/child_process.hpp"
#include "agent/signals.hpp"
#include "storage/result.hpp"

#include <memory>
#include <optional>
#include <string>

namespace sluice::agent::demo {

class Cluster {
 public:
    virtual ~Cluster() = default;
    [[nodiscard]] virtual std::string name() const = 0;
    [[nodiscard]] virtual std::string brokers() const = 0;
    virtual void take_away() = 0;
    /// Returns once it accepts connections, or with an error: at once where a signal asks the process to end.
    [[nodiscard]] virtual storage::Result<void> bring_back(Signals& signals) = 0;
    /// Its records are of no use any more, and nobody waits for it.
    virtual void abandon() = 0;
};

/// librdkafka's embedded mock cluster, with the topic in place.
[[nodiscard]] storage::Result<std::unique_ptr<Cluster>> start_mock_cluster(const std::string& topic, int partitions);

/// A broker started by `command`, which is run with "--dir DIR --port PORT" and stops on SIGTERM. Taken away means
/// stopped; brought back, it has its records still. Returns once it accepts connections.
[[nodiscard]] storage::Result<std::unique_ptr<Cluster>> start_command_cluster(const std::string& command,
                                                                              const std::string& directory,
                                                                              Signals& signals);

/// A port of 127.0.0.1 that was free a moment ago.
[[nodiscard]] storage::Result<int> free_port();
/// Waits until something listens there.
/// @return false where `process` ended first, or `patience` did, or a signal asks this process to end
[[nodiscard]] bool wait_for_port(int port, ChildProcess& process, std::chrono::milliseconds patience, Signals& signals);

}  // namespace sluice::agent::demo
