#include "bridge/kafka/fair_share.hpp"

#include <doctest/doctest.h>

#include <random>
#include <vector>

using sluice::bridge::kafka::FairShare;

namespace {

struct SharedUplink {
    explicit SharedUplink(const std::vector<double>& weights) : sent(weights.size()), wants(weights.size(), true) {
        for (const auto weight : weights) share.add(weight);
    }
    /// The first in order that wants to sends `bytes`. @return who it was
    std::size_t turn(std::size_t bytes) {
        for (const auto index : share.order()) {
            if (!wants[index]) continue;
            share.sent(index, bytes);
            sent[index] += static_cast<double>(bytes);
            return index;
        }
        return sent.size();
    }
    FairShare share;
    std::vector<double> sent;
    std::vector<bool> wants;
};

}  // namespace

TEST_CASE("fair share: each gets by its weight, whatever the sizes") {
    std::mt19937 random(7);
    SharedUplink uplink({16, 4, 1});
    for (int i = 0; i < 20'000; ++i) uplink.turn(100 + random() % 4000);
    const double all = uplink.sent[0] + uplink.sent[1] + uplink.sent[2];
    CHECK(uplink.sent[0] / all == doctest::Approx(16.0 / 21).epsilon(0.02));
    CHECK(uplink.sent[1] / all == doctest::Approx(4.0 / 21).epsilon(0.02));
    CHECK(uplink.sent[2] / all == doctest::Approx(1.0 / 21).epsilon(0.05));
}

TEST_CASE("fair share: what one doesn't use goes to the others") {
    SharedUplink uplink({16, 4, 1});
    uplink.wants[0] = false;
    for (int i = 0; i < 5'000; ++i) uplink.turn(1000);
    CHECK(uplink.sent[0] == 0);
    CHECK(uplink.sent[1] / uplink.sent[2] == doctest::Approx(4).epsilon(0.02));
}

TEST_CASE("fair share: who comes after a pause is next, and has no claim to what it didn't use") {
    SharedUplink uplink({4, 4});
    uplink.wants[0] = false;
    for (int i = 0; i < 1'000; ++i) uplink.turn(1000);
    uplink.wants[0] = true;
    uplink.sent = {0, 0};
    CHECK((uplink.turn(1000) == 0 || uplink.turn(1000) == 0));
    for (int i = 0; i < 998; ++i) uplink.turn(1000);
    CHECK(uplink.sent[0] / uplink.sent[1] == doctest::Approx(1).epsilon(0.02));
}

TEST_CASE("fair share: equals take turns, and among those that have sent nothing the heavier goes first") {
    SharedUplink uplink({1, 16});
    CHECK(uplink.turn(10) == 1);
    SharedUplink equals({1, 1, 1});
    for (int i = 0; i < 300; ++i) equals.turn(10);
    CHECK(equals.sent == std::vector<double>{1000, 1000, 1000});
}
