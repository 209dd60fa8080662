// The pace against a fake clock, and a link that does with the bytes what librdkafka does.
#include "bridge/kafka/pacing.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace std::chrono_literals;
using sluice::bridge::kafka::Pacer;
using sluice::bridge::kafka::TokenBucket;

namespace {

constexpr auto kStart = TokenBucket::TimePoint{} + 1h;

/// Hands over whatever there is room for, every 10 ms; the wire takes `ratio` bytes for each, and `idle` a second for
/// what is no record. What was handed over is answered `lag` steps later.
struct Link {
    double run(std::chrono::seconds duration) {
        const auto begin = wire;
        const auto end = now + duration;
        for (; now < end; now += 10ms, ++step) {
            if (const auto room = pacer.room(now); room > 0) {
                const auto bytes = std::min<std::size_t>(room, 50'000);
                pacer.sent(bytes, now);
                in_flight += bytes;
                answers.push_back({step + lag, bytes});
                wire += static_cast<double>(bytes) * ratio;
            }
            wire += idle / 100;
            std::erase_if(answers, [&](const auto& answer) {
                if (answer.first > step) return false;
                in_flight -= answer.second;
                return true;
            });
            if (step % 100 == 0) pacer.measured(static_cast<std::uint64_t>(wire - since_new), in_flight, now);
        }
        return (wire - begin) / std::chrono::duration<double>(duration).count();
    }
    Pacer pacer{10'000, 20'000, kStart};
    TokenBucket::TimePoint now = kStart;
    double ratio = 1;
    double idle = 0;
    int lag = 5;
    int step = 0;
    double wire = 0;
    double since_new = 0;
    std::size_t in_flight = 0;
    std::vector<std::pair<int, std::size_t>> answers;
};

}  // namespace

TEST_CASE("token bucket: full at first, fills at its rate up to the burst, and may be overdrawn") {
    TokenBucket bucket(100, 500, kStart);
    CHECK(bucket.level(kStart) == 500);
    bucket.take(600, kStart);
    CHECK(bucket.level(kStart) == -100);
    CHECK(bucket.when(0, kStart) == kStart + 1s);
    CHECK(bucket.when(500, kStart) == kStart + 6s);
    CHECK(bucket.when(900, kStart) == kStart + 6s);  // there will never be more than the burst
    CHECK(bucket.level(kStart + 1s) == doctest::Approx(0));
    CHECK(bucket.level(kStart + 1h) == 500);
    bucket.take(-300, kStart + 1h);
    CHECK(bucket.level(kStart + 1h) == 500);
    CHECK(bucket.when(500, kStart + 1h) == kStart + 1h);
}

TEST_CASE("pacer: the rate holds on the wire, whatever the records compress to") {
    for (const double ratio : {0.05, 0.3, 1.0, 1.7}) {
        CAPTURE(ratio);
        Link link;
        link.ratio = ratio;
        link.run(60s);
        CHECK(link.run(600s) == doctest::Approx(10'000).epsilon(0.02));
        CHECK(link.pacer.ratio() == doctest::Approx(ratio).epsilon(0.1));
    }
}

TEST_CASE("pacer: what is no record counts too") {
    Link link;
    link.ratio = 0.3;
    link.idle = 2'000;
    link.run(60s);
    CHECK(link.run(600s) == doctest::Approx(10'000).epsilon(0.02));
}

TEST_CASE("pacer: answers that take seconds make it slower, never faster") {
    Link link;
    link.ratio = 0.3;
    link.lag = 400;
    link.run(60s);
    const double rate = link.run(600s);
    CHECK(rate <= 10'100);
    CHECK(rate >= 8'000);
}

TEST_CASE("pacer: once it has run dry it waits for half the burst") {
    Pacer pacer(10'000, 20'000, kStart);
    CHECK(pacer.room(kStart) == 20'000);
    pacer.sent(20'000, kStart);
    CHECK(pacer.room(kStart) == 0);
    CHECK(pacer.next_at(kStart) == kStart + 1s);
    CHECK(pacer.room(kStart + 999ms) == 0);
    CHECK(pacer.room(kStart + 1s) >= 9'999);
}

TEST_CASE("pacer: a new producer counts from zero") {
    Link link;
    link.ratio = 0.5;
    link.run(120s);
    link.since_new = link.wire;
    link.pacer.replaced();
    CHECK(link.run(600s) == doctest::Approx(10'000).epsilon(0.02));
}
