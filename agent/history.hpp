// history.hpp: how the agent did in the last two days: rates, backlog and outages, in fixed memory.
//
// Three rings: a second each for 15 minutes, 10 s for 3 hours, a minute for 2 days: 4,860 samples of 40 bytes, less
// than 200 KB. In the coarser ones a rate is the mean and the backlog the greatest. A restart begins anew. One thread
// samples, any thread reads.
#pragma once

#include "agent/snapshot.hpp"

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace sluice::agent {

class History {
 public:
    static constexpr std::size_t kOutagesMax = 256;  ///< then the oldest is forgotten

    /// Call it once a second. @param now  steady
    void sample(const Snapshot& snapshot, std::chrono::milliseconds now);
    /// {"step_seconds", "time": [s since 1970], "received": [1/s], …, "outages": […]} of the finest ring that goes back
    /// so far.
    [[nodiscard]] nlohmann::ordered_json json(std::chrono::seconds back) const;
    /// The newest sample, of one second; null before there is one.
    [[nodiscard]] nlohmann::ordered_json newest() const;

 private:
    struct Sample {
        std::int64_t at_s = 0;  ///< the end of the time that it stands for
        float received = 0, accepted = 0, forwarded = 0;
        std::uint64_t backlog = 0;
    };
    class Ring {
     public:
        Ring(std::int64_t step_s, std::size_t capacity) : step_s_(step_s), capacity_(capacity) {}
        void add(const Sample& second);
        [[nodiscard]] std::int64_t step_s() const { return step_s_; }
        [[nodiscard]] std::int64_t reach_s() const { return step_s_ * static_cast<std::int64_t>(capacity_); }
        template <class Take>
        void each(Take take) const {
            for (std::size_t i = 0; i < samples_.size(); ++i) take(samples_[(first_ + i) % samples_.size()]);
        }

     private:
        const std::int64_t step_s_;
        const std::size_t capacity_;
        std::vector<Sample> samples_;  // of capacity_ once it is full, then the oldest at first_
        std::size_t first_ = 0;
        Sample sum_;
        std::uint64_t summed_ = 0;
    };
    struct Counts {
        std::chrono::milliseconds at;
        std::uint64_t received, accepted, forwarded;
    };
    struct Outage {
        std::string what;  ///< "cluster", or "source NAME"
        storage::Timestamp from{};
        std::optional<storage::Timestamp> to{};
        std::string why;
    };
    void watch(const std::string& what, bool connected, const bridge::LinkState::Reading& link, storage::Timestamp now);

    mutable std::mutex mutex_;
    std::optional<Counts> last_;
    std::optional<Sample> newest_;
    std::array<Ring, 3> rings_{Ring{1, 900}, Ring{10, 1080}, Ring{60, 2880}};
    std::deque<Outage> outages_;  // by `from`
};

}  // namespace sluice::agent
