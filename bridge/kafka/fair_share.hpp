// fair_share.hpp: which stream is next, so that each gets its share of an uplink that can't take all.
//
// Start-time fair queueing (Goyal, Vin, Cheng 1996): what a stream sends moves its own clock by bytes / weight, and the
// one whose clock is behind goes first. A stream that was idle joins at the present time: it is next, but has no claim
// to what it didn't use. So a higher weight goes first and gets more, and no weight gets nothing.
// One thread. No I/O.
#pragma once

#include <cstddef>
#include <vector>

namespace sluice::bridge::kafka {

class FairShare {
 public:
    /// Adds a stream, with the next index. @param weight  above 0
    void add(double weight);
    void set_weight(std::size_t index, double weight) { streams_[index].weight = weight; }
    /// All streams, who is to go first first; equals by weight, then in turn. Valid until the next call.
    [[nodiscard]] const std::vector<std::size_t>& order();
    /// It has sent so much.
    void sent(std::size_t index, std::size_t bytes);

 private:
    struct Stream {
        double weight;
        double finish = 0;
        std::size_t last_turn = 0;
    };

    [[nodiscard]] double start_of(const Stream& stream) const;

    std::vector<Stream> streams_;
    std::vector<std::size_t> order_;
    double now_ = 0;  // the clock of the one that was served last
    std::size_t turns_ = 0;
};

}  // namespace sluice::bridge::kafka
