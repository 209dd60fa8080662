#include "bridge/mqtt/subscription_tree.hpp"

#include "bridge/mqtt/topic_levels.hpp"
#include "bridge/mqtt/topic_name.hpp"
#include "storage/assert.hpp"

#include <algorithm>
#include <iterator>

namespace sluice::bridge::mqtt {

namespace {

template <class Members>
auto find_member(Members& members, SubscriberId subscriber) {
    return std::find_if(members.begin(), members.end(),
                        [&](const auto& member) { return member.subscriber == subscriber; });
}

template <class Member>
bool put_member(std::vector<Member>& members, SubscriberId subscriber, const SubscriptionOptions& options) {
    const auto found = find_member(members, subscriber);
    if (found != members.end()) {
        found->options = options;
        return false;
    }
    members.push_back({subscriber, options});
    return true;
}

template <class Member>
bool take_member(std::vector<Member>& members, SubscriberId subscriber) {
    const auto found = find_member(members, subscriber);
    if (found == members.end()) return false;
    members.erase(found);
    return true;
}

}  // namespace

struct SubscriptionTree::Node {
    std::unordered_map<std::string, std::unique_ptr<Node>, LevelHash, std::equal_to<>> children;  // "+" is one of them
    Subscribers here;   // filters that end at this level
    Subscribers below;  // … and those that go on with "#"
    [[nodiscard]] bool empty() const { return children.empty() && here.empty() && below.empty(); }
};

/// Gathers what matches, one delivery a subscriber.
class SubscriptionTree::Matches {
 public:
    explicit Matches(std::optional<SubscriberId> publisher) : publisher_(publisher) {}

    void add(Subscribers& subscribers) {
        for (const auto& member : subscribers.single) {
            if (member.options.no_local && member.subscriber == publisher_) continue;
            add(member, delivery_to(member.subscriber));
        }
        for (auto& [name, group] : subscribers.groups) {
            const auto& member = group.members[group.next++ % group.members.size()];
            // A message of a group is one of its own, beside what the subscriber gets for itself.
            add(member, shared_.emplace_back(Delivery{member.subscriber, 0, false, {}}));
        }
    }
    std::vector<Delivery> take() {
        std::move(shared_.begin(), shared_.end(), std::back_inserter(deliveries_));
        return std::move(deliveries_);
    }

 private:
    static void add(const Member& member, Delivery& delivery) {
        delivery.qos = std::max(delivery.qos, member.options.qos);
        delivery.retain_as_published |= member.options.retain_as_published;
        if (member.options.identifier) delivery.identifiers.push_back(*member.options.identifier);
    }
    Delivery& delivery_to(SubscriberId subscriber) {
        const auto [found, is_new] = index_.emplace(subscriber, deliveries_.size());
        if (is_new) deliveries_.push_back(Delivery{subscriber, 0, false, {}});
        return deliveries_[found->second];
    }

    const std::optional<SubscriberId> publisher_;
    std::vector<Delivery> deliveries_;
    std::vector<Delivery> shared_;
    std::unordered_map<SubscriberId, std::size_t> index_;
};

SubscriptionTree::SubscriptionTree() : root_(std::make_unique<Node>()) {}
SubscriptionTree::~SubscriptionTree() = default;

SubscriptionTree::Node* SubscriptionTree::child_of(Node& node, std::string_view level, bool make) {
    const auto found = node.children.find(level);
    if (found != node.children.end()) return found->second.get();
    if (!make) return nullptr;
    return node.children.emplace(level, std::make_unique<Node>()).first->second.get();
}

/// The nodes of the filter's levels, "#" left out, the root first; empty where they are not there.
std::vector<SubscriptionTree::Node*> SubscriptionTree::path_to(Node& root, std::string_view filter, bool make) {
    std::vector<Node*> path{&root};
    for (bool more = true; more;) {
        const auto level = take_level(filter, more);
        if (level == "#") break;
        auto* child = child_of(*path.back(), level, make);
        if (child == nullptr) return {};
        path.push_back(child);
    }
    return path;
}

/// Removes the nodes at the end of the path that hold nothing any more.
void SubscriptionTree::prune(const std::vector<Node*>& path, std::string_view filter) {
    std::vector<std::string_view> levels;
    for (bool more = true; more;) levels.push_back(take_level(filter, more));
    for (auto depth = path.size() - 1; depth > 0 && path[depth]->empty(); --depth) {
        auto& siblings = path[depth - 1]->children;
        siblings.erase(siblings.find(levels[depth - 1]));
    }
}

bool SubscriptionTree::add(SubscriberId subscriber, std::string_view text, const SubscriptionOptions& options) {
    const auto shared = parse_shared(text);
    const auto filter = shared ? shared->filter : text;
    SLUICE_ASSERT(is_topic_filter(filter));
    auto* node = path_to(*root_, filter, true).back();
    auto& subscribers = filter.ends_with('#') ? node->below : node->here;
    const bool is_new = shared ? put_member(subscribers.groups[std::string(shared->group)].members, subscriber, options)
                               : put_member(subscribers.single, subscriber, options);
    if (!is_new) return false;
    filters_[subscriber].emplace_back(text);
    ++size_;
    return true;
}

bool SubscriptionTree::remove(SubscriberId subscriber, std::string_view text) {
    const auto shared = parse_shared(text);
    const auto filter = shared ? shared->filter : text;
    const auto path = path_to(*root_, filter, false);
    if (path.empty()) return false;
    auto& subscribers = filter.ends_with('#') ? path.back()->below : path.back()->here;
    if (shared) {
        const auto group = subscribers.groups.find(shared->group);
        if (group == subscribers.groups.end() || !take_member(group->second.members, subscriber)) return false;
        if (group->second.members.empty()) subscribers.groups.erase(group);
    } else if (!take_member(subscribers.single, subscriber)) {
        return false;
    }
    prune(path, filter);
    const auto own = filters_.find(subscriber);
    std::erase(own->second, text);
    if (own->second.empty()) filters_.erase(own);
    --size_;
    return true;
}

void SubscriptionTree::remove_all(SubscriberId subscriber) {
    const auto own = filters_.find(subscriber);
    if (own == filters_.end()) return;
    const auto filters = own->second;
    for (const auto& filter : filters) remove(subscriber, filter);
}

std::size_t SubscriptionTree::count(SubscriberId subscriber) const {
    const auto own = filters_.find(subscriber);
    return own == filters_.end() ? 0 : own->second.size();
}

void SubscriptionTree::collect(Node& node, std::string_view rest, bool more, bool first, Matches& matches) {
    if (!more) {
        matches.add(node.here);
        matches.add(node.below);  // "a/#" matches "a" too (MQTT 5, 4.7.1.2)
        return;
    }
    const auto level = take_level(rest, more);
    // No wildcard at the front matches "$SYS" and its like [MQTT-4.7.2-1].
    const bool wildcards = !(first && level.starts_with('$'));
    if (wildcards) matches.add(node.below);
    if (auto* child = child_of(node, level, false)) collect(*child, rest, more, false, matches);
    if (auto* child = wildcards ? child_of(node, "+", false) : nullptr) collect(*child, rest, more, false, matches);
}

std::vector<Delivery> SubscriptionTree::match(std::string_view topic, std::optional<SubscriberId> publisher) {
    Matches matches(publisher);
    collect(*root_, topic, true, true, matches);
    return matches.take();
}

}  // namespace sluice::bridge::mqtt
