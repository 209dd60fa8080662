// paho_source.hpp: subscribes to a broker through Paho, and acknowledges what is accepted.
//
// Paho calls back before it acknowledges, one message at a time in one thread for all sources of the process; the
// callback returns when the record is accepted. So each message costs a commit, and this way in is for brokers that
// are there already (docs/delivery.md has the figures); the agent's own listener has no such limit.
// A thread of our own connects, subscribes, and connects again: with backoff and jitter, for ever.
#pragma once

#include "bridge/link_state.hpp"
#include "bridge/mqtt/ingest.hpp"
#include "bridge/mqtt/source_options.hpp"
#include "bridge/report.hpp"
#include "storage/catalog.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace sluice::bridge::mqtt {

struct SourceStatus {
    std::string name;
    bool connected = false;         ///< and subscribed to everything
    std::uint64_t connections = 0;  ///< since the start
    LinkState::Reading link{};      ///< since when, and why not
};

class PahoSource {
 public:
    /// Starts the thread; doesn't wait for the broker.
    PahoSource(SourceOptions options, Ingest& ingest, storage::Catalog& catalog, Report report);
    ~PahoSource();

    /// Asks the source to disconnect. Returns at once.
    void begin_stop();
    /// Waits until it has, or `deadline` is reached.
    /// @return false where a message is still waiting to be accepted (a full disk): the process can only be left
    ///         with _Exit then, and the broker delivers the message again
    [[nodiscard]] bool finish_stop(std::chrono::steady_clock::time_point deadline);

    /// Thread-safe.
    [[nodiscard]] SourceStatus status() const;

 private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::bridge::mqtt
