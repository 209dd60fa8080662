// event_feed.hpp: who follows the server-sent events, and the newest of them.
//
// An event stands for all before it, so that a follower who reads slowly is sent the newest when he is ready, and
// nothing is queued for anybody: the memory is that of one event for each follower. On the thread `admin`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sluice::agent::admin {

inline constexpr std::size_t kFollowersMax = 8;  ///< fewer than connections: who asks once gets his answer

class EventFeed {
 public:
    using Event = std::shared_ptr<const std::string>;

    class Follower {
     public:
        virtual ~Follower() = default;
        virtual void on_event() = 0;
    };

    /// The feed keeps a follower until leave(). @return false: there are too many
    [[nodiscard]] bool join(std::shared_ptr<Follower> follower) {
        if (followers_.size() >= kFollowersMax) return false;
        followers_.push_back(std::move(follower));
        return true;
    }
    void leave(const Follower* follower) {
        const auto gone = [&](const auto& each) { return each.get() == follower; };
        followers_.erase(std::remove_if(followers_.begin(), followers_.end(), gone), followers_.end());
        if (followers_.empty()) newest_ = nullptr;  // it would be old when the next one comes
    }
    void publish(std::string event) {
        newest_ = std::make_shared<const std::string>(std::move(event));
        const auto all = followers_;  // one may leave meanwhile
        for (const auto& follower : all) follower->on_event();
    }
    [[nodiscard]] const Event& newest() const { return newest_; }
    [[nodiscard]] bool empty() const { return followers_.empty(); }

 private:
    std::vector<std::shared_ptr<Follower>> followers_;
    Event newest_;  // nullptr: there was none yet
};

}  // namespace sluice::agent::admin
