// link_state.hpp: whether the other side of a link is there, since when, and if not, why: for who looks at it.
//
// The owner of the link sets it, any thread reads it.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

namespace sluice::bridge {

class LinkState {
 public:
    using WallTime = std::chrono::system_clock::time_point;
    struct Reading {
        bool up = false;
        WallTime since{};  ///< of being up or not; where it has never been up, the start
        std::string why;   ///< not up: what is known of the cause; may be empty
    };

    LinkState() { reading_.since = std::chrono::system_clock::now(); }

    void up() {
        const std::lock_guard lock(mutex_);
        if (!reading_.up) reading_ = {true, std::chrono::system_clock::now(), {}};
    }
    /// A later cause takes the place of an earlier one; an empty one of none.
    void down(const std::string& why) {
        const std::lock_guard lock(mutex_);
        if (reading_.up) reading_ = {false, std::chrono::system_clock::now(), {}};
        if (!why.empty()) reading_.why = why;
    }
    [[nodiscard]] Reading read() const {
        const std::lock_guard lock(mutex_);
        return reading_;
    }

 private:
    mutable std::mutex mutex_;
    Reading reading_;
};

}  // namespace sluice::bridge
