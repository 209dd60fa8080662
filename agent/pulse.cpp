#include "agent/pulse.hpp"

#include <utility>

namespace sluice::agent {

Pulse::Pulse(Parts parts, std::chrono::milliseconds patience)
    : parts_(std::move(parts)), patience_(patience), answered_(std::make_shared<std::atomic<bool>>(true)) {}

std::optional<std::string> Pulse::stuck(TimePoint now) {
    if (const auto turn = parts_.last_forward_turn(); turn && now - *turn > kForwardPatience) return "forward";
    if (*answered_) {
        if (!asked_ || now - *asked_ >= kAskInterval) {
            asked_ = now;
            *answered_ = false;
            parts_.post_to_log([answered = answered_] { *answered = true; });
        }
        return std::nullopt;
    }
    if (now - *asked_ > patience_) return "log";
    return std::nullopt;
}

}  // namespace sluice::agent
