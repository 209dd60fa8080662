#include "bridge/report.hpp"

#include "bridge/backoff.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace std::chrono_literals;
using namespace sluice::bridge;

TEST_CASE("trouble report: said once, then at growing intervals, and its end once") {
    std::vector<std::string> said;
    TroubleReport trouble([&](Severity, std::string_view, const std::string& text) { said.push_back(text); }, "kafka");
    const auto start = TroubleReport::TimePoint{} + 1h;
    auto count_until = [&, now = start](std::chrono::seconds duration) mutable {
        const auto before = said.size();
        for (const auto end = now + duration; now < end; now += 1s) trouble.trouble("away", now);
        return said.size() - before;
    };
    CHECK(count_until(59s) == 1);
    CHECK(count_until(2s) == 1);
    CHECK(count_until(119s) <= 1);
    CHECK(count_until(24h) < 40);
    const auto before = said.size();
    trouble.remind(start + 26h);
    trouble.remind(start + 26h);
    CHECK(said.size() == before + 1);
    CHECK(said.back().starts_with("away"));
    said.clear();
    trouble.over("back", start + 27h);
    trouble.over("back", start + 27h);
    CHECK(said.size() == 1);
    CHECK_FALSE(trouble.in_trouble());
}

TEST_CASE("trouble report: another trouble is said at once") {
    int said = 0;
    TroubleReport trouble([&](auto&&...) { ++said; }, "kafka");
    const auto now = TroubleReport::TimePoint{} + 1h;
    trouble.trouble("no connection", now);
    trouble.trouble("wrong password", now);
    trouble.trouble("wrong password", now);
    CHECK(said == 2);
}

TEST_CASE("backoff: doubles to its bound, with jitter, and starts again") {
    Backoff backoff(100ms, 1s, 1);
    std::chrono::milliseconds full = 100ms;
    for (int i = 0; i < 20; ++i) {
        const auto wait = backoff.next();
        CHECK(wait >= full / 2);
        CHECK(wait <= full);
        full = std::min<std::chrono::milliseconds>(full * 2, 1s);
    }
    backoff.reset();
    CHECK(backoff.next() <= 100ms);
}
