// pacing.hpp: how much may be handed to the producer now, so that no more than a rate goes over the wire.
//
// What counts is what librdkafka has sent to the brokers (tx_bytes of its statistics, once a second): requests as they
// are, compressed, with retries and all that is not records; before TLS, and without the headers of TCP and IP. A
// record is charged when it is handed over, by the ratio of wire to record bytes seen so far; each second's statistics
// put right what the estimate was wrong by. So the mean over minutes is the rate, and a moment may exceed it by the
// burst.
//
// A bucket that has run dry fills to the half before anything is sent again: batches that are large enough to compress
// well are worth more on a thin link than a steady trickle.
// The forward thread. No I/O; the time is an argument.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sluice::bridge::kafka {

/// Fills at `rate_per_s` up to `burst`, and is full at first. May be overdrawn.
class TokenBucket {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;

    TokenBucket(double rate_per_s, double burst, TimePoint now)
        : rate_per_s_(rate_per_s), burst_(burst), level_(burst), at_(now) {}

    [[nodiscard]] double level(TimePoint now) const;
    [[nodiscard]] double burst() const { return burst_; }
    /// A negative amount is given back.
    void take(double tokens, TimePoint now);
    /// When there will be so many, if none are taken; `now` where there are.
    [[nodiscard]] TimePoint when(double tokens, TimePoint now) const;

 private:
    double rate_per_s_;
    double burst_;
    double level_;
    TimePoint at_;
};

class Pacer {
 public:
    using TimePoint = TokenBucket::TimePoint;

    /// @param rate   wire bytes a second
    /// @param burst  wire bytes that may go at once
    Pacer(std::uint64_t rate, std::uint64_t burst, TimePoint now);

    /// Record bytes that may be handed over now; 0: none before next_at().
    [[nodiscard]] std::size_t room(TimePoint now);
    [[nodiscard]] TimePoint next_at(TimePoint now) const;
    /// So many record bytes were handed over.
    void sent(std::size_t bytes, TimePoint now);
    /// The producer's statistics. @param wire_total  bytes that it has sent since it was made
    /// @param in_flight  record bytes that are handed over and not answered
    void measured(std::uint64_t wire_total, std::size_t in_flight, TimePoint now);
    /// A new producer counts from zero.
    void replaced() { last_total_ = 0; }

    /// Wire bytes for each record byte, as seen lately; 1 at first.
    [[nodiscard]] double ratio() const { return ratio_; }

 private:
    static constexpr double kPriorBytes = 8192;  // what the ratio that is assumed at first weighs

    TokenBucket bucket_;
    bool flowing_ = true;  // false: it has run dry, and fills up
    double ratio_ = 1;
    double lately_wire_ = kPriorBytes;  // faded sums, whose ratio is ratio_
    double lately_answered_ = kPriorBytes;
    std::uint64_t last_total_ = 0;
    double wire_ = 0;       // bytes, of all producers
    double handed_ = 0;     // record bytes
    double charged_ = 0;    // wire bytes, as estimated when they were handed over
    double answered_ = 0;   // record bytes, at the last measurement
    double corrected_ = 0;  // what the bucket was charged beside that
};

}  // namespace sluice::bridge::kafka
