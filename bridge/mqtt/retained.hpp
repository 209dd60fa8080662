// retained.hpp: the last retained message of each topic, found by topic filter.
//
// Sources: MQTT 5 sections 3.3.1.3 (RETAIN) and 3.3.2.3.3 (message expiry).
// One thread.
#pragma once

#include "bridge/message.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace sluice::bridge::mqtt {

/// Shared by the store and by the queues of those who are to get it.
using MessagePtr = std::shared_ptr<const Message>;

struct RetainedLimits {
    std::size_t messages_max = 10'000;
    std::size_t bytes_max = 16U << 20U;  ///< topics and payloads
};

class RetainedMessages {
 public:
    explicit RetainedMessages(RetainedLimits limits);
    ~RetainedMessages();
    RetainedMessages(const RetainedMessages&) = delete;
    RetainedMessages& operator=(const RetainedMessages&) = delete;

    /// Keeps the message in the place of its topic's last one [MQTT-3.3.1-5]; one with an empty payload only removes
    /// that [MQTT-3.3.1-6], [MQTT-3.3.1-7].
    /// @return false: a limit is reached, and what was kept before stays
    [[nodiscard]] bool put(MessagePtr message);
    /// Those whose topics match, but not what has expired by `now`.
    /// @param filter  valid, and not a shared one, to which nothing retained is sent (MQTT 5, 4.8.2)
    [[nodiscard]] std::vector<MessagePtr> match(std::string_view filter, storage::Timestamp now) const;
    /// @return what has expired, and is removed
    std::vector<MessagePtr> remove_expired(storage::Timestamp now);

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
    struct Node;
    void remove(std::string_view topic);

    const RetainedLimits limits_;
    std::unique_ptr<Node> root_;
    std::size_t size_ = 0;
    std::size_t bytes_ = 0;
};

/// Whether the message has an expiry interval and it is over.
[[nodiscard]] bool has_expired(const Message& message, storage::Timestamp now);

}  // namespace sluice::bridge::mqtt
