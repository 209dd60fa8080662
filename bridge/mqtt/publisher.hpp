// publisher.hpp: a device that publishes at QoS 1 and counts what the broker has acknowledged. For the demo.
#pragma once

#include "storage/result.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace sluice::bridge::mqtt {

/// One connection. Used by one thread; Paho's threads count the acknowledgements.
class Publisher {
 public:
    /// Begins to connect, with a clean session. Paho takes up to a second for it, for many at once as for one.
    [[nodiscard]] static storage::Result<std::unique_ptr<Publisher>> connect(const std::string& url,
                                                                             const std::string& client_id);
    /// Waits until it is connected; to be called before the first publish().
    [[nodiscard]] storage::Result<void> wait_connected();
    ~Publisher();

    /// Sends without waiting for the acknowledgement.
    [[nodiscard]] storage::Result<void> publish(const std::string& topic, const std::string& payload);
    [[nodiscard]] std::uint64_t acknowledged() const;
    /// Waits until all that was sent is acknowledged.
    /// @return false where `timeout` came first
    [[nodiscard]] bool wait_for_acknowledgements(std::chrono::milliseconds timeout);

 private:
    struct Impl;
    explicit Publisher(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::bridge::mqtt
