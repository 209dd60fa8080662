// subscription_tree.hpp: who has subscribed to what, and who gets a message on a topic.
//
// A tree of topic levels: finding the matches of a topic takes time by its levels and its matches, not by the number of
// subscriptions. Sources: MQTT 5 sections 3.3.4 (overlapping subscriptions), 4.7 (wildcards), 4.8.2 (shared ones).
// One thread.
#pragma once

#include "bridge/mqtt/packet.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sluice::bridge::mqtt {

/// Names a session; what it stands for is the caller's.
using SubscriberId = std::uint64_t;

struct SubscriptionOptions {
    std::uint8_t qos = 0;
    bool no_local = false;
    bool retain_as_published = false;
    std::optional<std::uint32_t> identifier{};
    friend bool operator==(const SubscriptionOptions&, const SubscriptionOptions&) = default;
};

/// What one subscriber gets of a message: once, whatever the number of its subscriptions that match [MQTT-3.3.4-2].
struct Delivery {
    SubscriberId subscriber = 0;
    std::uint8_t qos = 0;              ///< the highest of them
    bool retain_as_published = false;  ///< where any of them asks for it
    std::vector<std::uint32_t> identifiers;
};

class SubscriptionTree {
 public:
    SubscriptionTree();
    ~SubscriptionTree();
    SubscriptionTree(const SubscriptionTree&) = delete;
    SubscriptionTree& operator=(const SubscriptionTree&) = delete;

    /// Adds a subscription, or replaces that of the same filter [MQTT-3.8.4-3].
    /// @param filter  valid; "$share/GROUP/FILTER" joins a group
    /// @return whether it is new
    bool add(SubscriberId subscriber, std::string_view filter, const SubscriptionOptions& options);
    /// @return whether there was one
    bool remove(SubscriberId subscriber, std::string_view filter);
    /// Removes all of a subscriber's.
    void remove_all(SubscriberId subscriber);
    [[nodiscard]] std::size_t count(SubscriberId subscriber) const;
    [[nodiscard]] std::size_t size() const { return size_; }

    /// Everybody who gets a message on `topic`, in no order.
    /// @param publisher  who has sent it: no-local subscriptions of its own don't count
    [[nodiscard]] std::vector<Delivery> match(std::string_view topic, std::optional<SubscriberId> publisher);

 private:
    struct Member {
        SubscriberId subscriber;
        SubscriptionOptions options;
    };
    /// Of its members one gets each message [MQTT-4.8.2-4]: they take turns.
    struct Group {
        std::vector<Member> members;
        std::size_t next = 0;
    };
    struct Subscribers {
        std::vector<Member> single;
        std::map<std::string, Group, std::less<>> groups;
        [[nodiscard]] bool empty() const { return single.empty() && groups.empty(); }
    };
    struct Node;
    class Matches;

    static Node* child_of(Node& node, std::string_view level, bool make);
    static std::vector<Node*> path_to(Node& root, std::string_view filter, bool make);
    static void prune(const std::vector<Node*>& path, std::string_view filter);
    static void collect(Node& node, std::string_view rest, bool more, bool first, Matches& matches);

    std::unique_ptr<Node> root_;
    std::unordered_map<SubscriberId, std::vector<std::string>> filters_;
    std::size_t size_ = 0;
};

}  // namespace sluice::bridge::mqtt
