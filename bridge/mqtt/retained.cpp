#include "bridge/mqtt/retained.hpp"

#include "bridge/mqtt/topic_levels.hpp"
#include "bridge/mqtt/topic_name.hpp"
#include "storage/assert.hpp"

#include <chrono>
#include <string>
#include <unordered_map>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

std::size_t size_of(const Message& message) {
    return message.topic.size() + message.payload.size();
}

}  // namespace

struct RetainedMessages::Node {
    std::unordered_map<std::string, std::unique_ptr<Node>, LevelHash, std::equal_to<>> children;
    MessagePtr message;

    Node* child(std::string_view level) const {
        const auto found = children.find(level);
        return found == children.end() ? nullptr : found->second.get();
    }
    /// Everything from here on.
    void take_all(const std::function<void(const MessagePtr&)>& take) const {
        if (message) take(message);
        for (const auto& [level, node] : children) node->take_all(take);
    }
    void take_matches(std::string_view rest, bool more, bool first,
                      const std::function<void(const MessagePtr&)>& take) const {
        if (!more) {
            if (message) take(message);
            return;
        }
        const auto level = take_level(rest, more);
        // No wildcard at the front matches "$SYS" and its like [MQTT-4.7.2-1].
        const auto hidden = [first](const std::string& name) { return first && name.starts_with('$'); };
        if (level == "#") {
            if (message) take(message);  // "a/#" matches "a" too
            for (const auto& [name, node] : children) {
                if (!hidden(name)) node->take_all(take);
            }
        } else if (level == "+") {
            for (const auto& [name, node] : children) {
                if (!hidden(name)) node->take_matches(rest, more, false, take);
            }
        } else if (const auto* next = child(level)) {
            next->take_matches(rest, more, false, take);
        }
    }
};

RetainedMessages::RetainedMessages(RetainedLimits limits) : limits_(limits), root_(std::make_unique<Node>()) {}
RetainedMessages::~RetainedMessages() = default;

bool RetainedMessages::put(MessagePtr message) {
    SLUICE_ASSERT(is_topic_name(message->topic));
    if (message->payload.empty()) {
        remove(message->topic);
        return true;
    }
    const auto old = match(message->topic, storage::Timestamp::min());
    const auto old_bytes = old.empty() ? 0 : size_of(*old.front());
    const bool too_many = old.empty() && size_ >= limits_.messages_max;
    if (too_many || bytes_ - old_bytes + size_of(*message) > limits_.bytes_max) return false;
    auto* node = root_.get();
    std::string_view rest = message->topic;
    for (bool more = true; more;) {
        auto& child = node->children[std::string(take_level(rest, more))];
        if (!child) child = std::make_unique<Node>();
        node = child.get();
    }
    bytes_ = bytes_ - old_bytes + size_of(*message);
    size_ += old.empty() ? 1 : 0;
    node->message = std::move(message);
    return true;
}

void RetainedMessages::remove(std::string_view topic) {
    std::vector<std::pair<Node*, std::string_view>> path;  // each node, and the level that leads on from it
    auto* node = root_.get();
    auto rest = topic;
    for (bool more = true; more;) {
        const auto level = take_level(rest, more);
        path.emplace_back(node, level);
        node = node->child(level);
        if (node == nullptr) return;
    }
    if (!node->message) return;
    bytes_ -= size_of(*node->message);
    --size_;
    node->message.reset();
    for (; !path.empty(); path.pop_back()) {
        const auto [parent, level] = path.back();
        const auto child = parent->children.find(level);
        if (child->second->message || !child->second->children.empty()) return;
        parent->children.erase(child);
    }
}

std::vector<MessagePtr> RetainedMessages::match(std::string_view filter, storage::Timestamp now) const {
    std::vector<MessagePtr> found;
    root_->take_matches(filter, true, true, [&](const MessagePtr& message) {
        if (!has_expired(*message, now)) found.push_back(message);
    });
    return found;
}

std::vector<MessagePtr> RetainedMessages::remove_expired(storage::Timestamp now) {
    std::vector<MessagePtr> expired;
    root_->take_all([&](const MessagePtr& message) {
        if (has_expired(*message, now)) expired.push_back(message);
    });
    for (const auto& message : expired) remove(message->topic);
    return expired;
}

bool has_expired(const Message& message, storage::Timestamp now) {
    return message.expiry_interval && now - message.arrived >= std::chrono::seconds(*message.expiry_interval);
}

}  // namespace sluice::bridge::mqtt
