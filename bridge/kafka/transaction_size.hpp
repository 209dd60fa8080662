// transaction_size.hpp: how much a transaction takes before it closes.
//
// Closing costs a few round trips in which nothing is sent, so a backlog wants long transactions. But one that isn't
// closed inside of transaction.timeout.ms is aborted, and a thin link may take minutes for what a LAN takes in a
// moment. So the size follows what the link has shown: it starts small, grows while transactions end early, and
// shrinks with those that took long or were aborted.
//
// One thread. No I/O; the time is an argument.
#pragma once

#include "bridge/kafka/options.hpp"

#include <chrono>
#include <cstddef>

namespace sluice::bridge::kafka {

class TransactionSize {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;
    static constexpr std::size_t kFirstBytes = 256U << 10U;
    static constexpr std::size_t kLeastBytes = 16U << 10U;

    /// @param timeout  transaction.timeout.ms
    TransactionSize(TransactionOptions options, Duration timeout);

    /// The first record of a transaction is about to be sent.
    void opened(TimePoint now);
    void sent(std::size_t records, std::size_t bytes);
    /// How many bytes more this transaction takes.
    [[nodiscard]] std::size_t room() const;
    /// @param more  records wait that could be sent now
    [[nodiscard]] bool due(TimePoint now, bool more) const;
    /// When it is due at the latest.
    [[nodiscard]] TimePoint due_at(bool more) const;
    /// It is about to be closed: nothing more is sent.
    void closing(TimePoint now);
    [[nodiscard]] TimePoint closing_at() const { return closing_; }
    void committed(TimePoint now);
    void aborted();

 private:
    [[nodiscard]] Duration longest(bool more) const;

    const TransactionOptions options_;
    const Duration timeout_;
    std::size_t bytes_max_ = kFirstBytes;
    std::size_t records_ = 0;
    std::size_t bytes_ = 0;
    TimePoint opened_{};
    TimePoint closing_{};
    Duration overhead_{};  // of the last ones, weighted: from closing() to committed()
};

}  // namespace sluice::bridge::kafka
