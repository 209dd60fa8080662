#include "bridge/kafka/transaction_size.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using sluice::bridge::kafka::TransactionOptions;
using sluice::bridge::kafka::TransactionSize;

namespace {

/// A link of so many bytes a second, on which closing takes so long. The time is its own.
struct SlowLink {
    double bytes_per_second;
    std::chrono::milliseconds closing;
    TransactionSize::TimePoint now{};

    /// Fills one transaction from an endless backlog. @return how long it took until it was committed
    std::chrono::duration<double> fill(TransactionSize& size) {
        const auto start = now;
        size.opened(now);
        while (!size.due(now, true)) {
            const auto bytes = std::min<std::size_t>(size.room(), 10'000);
            size.sent(bytes / 100 + 1, bytes);
            const auto took = static_cast<double>(bytes) / bytes_per_second;
            now += std::chrono::duration_cast<TransactionSize::Duration>(std::chrono::duration<double>(took));
        }
        size.closing(now);
        now += closing;
        size.committed(now);
        return now - start;
    }
};

}  // namespace

TEST_CASE("transaction size: without a backlog it closes after its interval") {
    TransactionSize size({100ms}, 60s);
    TransactionSize::TimePoint now{};
    size.opened(now);
    CHECK_FALSE(size.due(now + 1s, false));  // nothing was sent
    size.sent(1, 200);
    CHECK_FALSE(size.due(now + 99ms, false));
    CHECK(size.due(now + 100ms, false));
}

TEST_CASE("transaction size: with a backlog, closing becomes a twentieth of the time or less") {
    TransactionSize size({100ms}, 60s);
    SlowLink lan{100e6, 30ms};
    for (int i = 0; i < 20; ++i) static_cast<void>(lan.fill(size));
    CHECK(lan.fill(size) > 500ms);
    CHECK(lan.fill(size) < 2s);
}

TEST_CASE("transaction size: a link that takes them with ease gets large ones after a few") {
    TransactionSize size({100ms}, 60s);
    SlowLink lan{100e6, 30ms};
    for (int i = 0; i < 4; ++i) static_cast<void>(lan.fill(size));
    CHECK(lan.fill(size) > 500ms);
}

TEST_CASE("transaction size: on a thin link, all but the first ones end well inside the time-out") {
    TransactionSize size({1s}, 60s);
    SlowLink thin{60e3 / 8, 2'400ms};
    CHECK(thin.fill(size) < 60s);
    for (int i = 0; i < 20; ++i) CHECK(thin.fill(size) < 20s);
}

TEST_CASE("transaction size: aborted transactions make smaller ones, down to a bound") {
    TransactionSize size({1s}, 60s);
    for (int i = 0; i < 20; ++i) size.aborted();
    size.opened({});
    CHECK(size.room() == TransactionSize::kLeastBytes);
}

TEST_CASE("transaction size: the configured bounds hold") {
    TransactionSize size({10s, 50, 1'000}, 60s);
    size.opened({});
    CHECK(size.room() == 1'000);
    size.sent(50, 100);
    CHECK(size.room() == 0);
    CHECK(size.due({}, false));
}
