// ack_mailbox.hpp: brings word that messages are durable from the log thread to the server's.
//
// The acknowledgements of a connection go out in the order of arrival [MQTT-4.6.0-2], [MQTT-4.6.0-3], whatever the
// order in which the logs become durable: each waits in its connection's queue, and here only its readiness is passed
// on.
#pragma once

#include "bridge/mqtt/protocol.hpp"
#include "bridge/mqtt/session_store.hpp"
#include "storage/group_commit.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace sluice::bridge::mqtt {

class Connection;

/// Of the server's thread, but for `accepted`, which the log thread writes before it puts it into the mailbox.
struct PendingAck {
    Connection* connection = nullptr;  ///< nullptr: it is gone
    PacketType type = PacketType::puback;
    std::uint16_t packet_id = 0;
    ReasonCode reason = ReasonCode::success;
    bool ready = false;
    bool accepted = false;                          ///< false: nothing may be said, as it is not kept
    SessionStore::Ticket ticket = 0;                ///< subscribers' sessions have it by then
    std::chrono::steady_clock::time_point since{};  ///< of a message that goes into the log: when it came
};

/// Outlives all completions: destroyed after GroupCommit::stop(). Thread-safe.
class AckMailbox {
 public:
    /// @param wake  called from any thread when there is something to take after there was nothing
    explicit AckMailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

    /// Two pointers: kept by std::function without an allocation.
    [[nodiscard]] storage::Completion completion(PendingAck& ack) {
        return [this, ack = &ack](const storage::Result<storage::Offset>& result) {
            put(*ack, result.has_value() || result.error().kind() == storage::Errc::invalid);
        };
    }
    void put(PendingAck& ack, bool accepted) {
        ack.accepted = accepted;
        bool first = false;
        {
            const std::lock_guard lock(mutex_);
            first = acks_.empty();
            acks_.push_back(&ack);
        }
        if (first) wake_();
    }
    /// Swaps what has come with `empty`.
    void take(std::vector<PendingAck*>& empty) {
        const std::lock_guard lock(mutex_);
        acks_.swap(empty);
    }

 private:
    const std::function<void()> wake_;
    std::mutex mutex_;
    std::vector<PendingAck*> acks_;
};

}  // namespace sluice::bridge::mqtt
