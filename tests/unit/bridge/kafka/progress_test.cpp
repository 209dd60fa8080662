#include "bridge/kafka/progress.hpp"

#include <doctest/doctest.h>

using namespace sluice::bridge::kafka;
using sluice::storage::Offset;

namespace {

OffsetRange range(std::int64_t first, std::int64_t next) {
    return {Offset(first), Offset(next)};
}

Progress progress(std::int64_t next, std::vector<OffsetRange> ahead) {
    return {Offset(next), std::move(ahead)};
}

}  // namespace

TEST_CASE("progress: ranges are brought into order, joined, and taken in by the cursor") {
    auto mixed =
        progress(10, {range(30, 40), range(12, 15), range(15, 18), range(38, 45), range(50, 50), range(5, 11)});
    mixed.normalize();
    CHECK(mixed == progress(11, {range(12, 18), range(30, 45)}));
    CHECK(mixed.records_ahead() == 21);
    CHECK(mixed.end() == Offset(45));
    auto done = progress(10, {range(10, 20), range(20, 30)});
    done.normalize();
    CHECK(done == progress(30, {}));
    CHECK(done.end() == Offset(30));
}

TEST_CASE("progress: nothing is finished where the log has ended") {
    auto clipped = progress(10, {range(20, 30), range(40, 50)});
    clipped.clip(Offset(25));
    CHECK(clipped == progress(10, {range(20, 25)}));
    clipped.clip(Offset(5));
    CHECK(clipped == progress(5, {}));
}

TEST_CASE("progress: two accounts are united, whichever is older") {
    const auto older = progress(10, {range(50, 60)});
    const auto newer = progress(55, {range(70, 80)});
    CHECK(unite(older, newer) == progress(60, {range(70, 80)}));
    CHECK(unite(newer, older) == unite(older, newer));
    CHECK(unite(older, older) == older);
}

TEST_CASE("progress: ranges as text") {
    const std::vector<OffsetRange> ranges{range(1, 2), range(5, 900)};
    CHECK(to_text(ranges) == "1-2 5-900");
    CHECK(parse_ranges("1-2 5-900") == ranges);
    CHECK(parse_ranges("") == std::vector<OffsetRange>());
    for (const auto* bad : {"1", "1-", "-2", "2-1", "1-2,", "1-2  5-9", "1-2 x", "1-1"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_ranges(bad));
    }
}
