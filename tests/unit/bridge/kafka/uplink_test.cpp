// Windows and pauses, with the time as an argument.
#include "bridge/kafka/uplink.hpp"

#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>

using namespace std::chrono_literals;
using namespace sluice;
using namespace sluice::bridge::kafka;
using test::must;

namespace {

using TimePoint = UplinkWindows::TimePoint;

/// A time of 25 November 2026, or days later.
TimePoint at(int hour, int minute, int day = 0) {
    constexpr std::chrono::sys_days kDay = std::chrono::year(2026) / 11 / 25;
    return kDay + std::chrono::days(day) + std::chrono::hours(hour) + std::chrono::minutes(minute);
}

UplinkWindows utc(std::initializer_list<const char*> texts) {
    std::vector<DailyWindow> windows;
    for (const auto* text : texts) windows.push_back(parse_daily_window(text).value());
    return {std::move(windows), WindowClock::utc};
}

struct Box {
    test::TempDir dir;
    std::unique_ptr<storage::Catalog> catalog = must(storage::Catalog::open(dir / "catalog.db"));
};

}  // namespace

TEST_CASE("uplink windows: what a window may look like") {
    CHECK(parse_daily_window("22:00-06:00") == DailyWindow{22h, 6h});
    CHECK(parse_daily_window("00:00-24:00") == DailyWindow{0h, 24h});
    for (const auto* bad : {"", "22:00", "22:00-22:00", "24:00-06:00", "22:00-00:00", "22-6", "22:60-06:00",
                            "25:00-06:00", "22:00-24:01", "22:00 - 06:00", "+2:00-06:00", "22:00-06:00x"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_daily_window(bad));
    }
}

TEST_CASE("uplink windows: open from the begin to before the end, over midnight too") {
    const auto night = utc({"22:00-06:00"});
    CHECK_FALSE(night.is_open(at(21, 59)));
    CHECK(night.is_open(at(22, 0)));
    CHECK(night.is_open(at(23, 59)));
    CHECK(night.is_open(at(0, 0)));
    CHECK(night.is_open(at(5, 59)));
    CHECK_FALSE(night.is_open(at(6, 0)));
    const auto two = utc({"08:00-09:00", "12:00-13:00"});
    CHECK(two.is_open(at(8, 30)));
    CHECK_FALSE(two.is_open(at(9, 0)));
    CHECK(two.is_open(at(12, 59)));
    CHECK(UplinkWindows().is_open(at(3, 3)));
}

TEST_CASE("uplink windows: the next opening") {
    const auto night = utc({"22:00-06:00"});
    CHECK(night.opens_at(at(6, 0)) == at(22, 0));
    CHECK(night.opens_at(at(22, 30)) == at(22, 30));
    CHECK(utc({"08:00-09:00"}).opens_at(at(9, 0)) == at(8, 0, 1));
}

TEST_CASE("uplink windows: the local clock is the one on the wall") {
    ::setenv("TZ", "CET-1", 1);
    ::tzset();
    const UplinkWindows night({*parse_daily_window("22:00-06:00")}, WindowClock::local);
    CHECK(night.is_open(at(21, 0)));  // 22:00 in Paris
    CHECK_FALSE(night.is_open(at(5, 0)));
    ::unsetenv("TZ");
    ::tzset();
}

TEST_CASE("uplink: it closes before the window does, so that what is in flight can end") {
    Box box;
    UplinkOptions options;
    options.windows = utc({"22:00-06:00"});
    const auto uplink = must(Uplink::load(options, *box.catalog));
    CHECK(uplink->is_open(at(5, 59)));
    CHECK(uplink->status().state == UplinkState::open);
    CHECK_FALSE(uplink->is_open(at(5, 59) + 55s));
    const auto status = uplink->status();
    CHECK(status.state == UplinkState::outside_windows);
    CHECK(status.opens_at == at(22, 0));
    CHECK(uplink->is_open(at(22, 0)));
    CHECK(uplink->status().state == UplinkState::open);
}

TEST_CASE("uplink: a pause outlasts a restart, with its reason, and ends when it is resumed") {
    Box box;
    {
        const auto uplink = must(Uplink::load({}, *box.catalog));
        CHECK(uplink->is_open(at(12, 0)));
        CHECK(uplink->pause("roaming abroad, 3 EUR/MB", at(12, 0)).has_value());
        CHECK_FALSE(uplink->is_open(at(12, 0)));
    }
    {
        const auto uplink = must(Uplink::load({}, *box.catalog));
        CHECK_FALSE(uplink->is_open(at(13, 0)));
        const auto status = uplink->status();
        CHECK(status.state == UplinkState::paused);
        CHECK(status.why == "roaming abroad, 3 EUR/MB");
        CHECK(status.since == at(12, 0));
        CHECK(uplink->pause("", at(14, 0)).has_value());  // a new reason, of the same pause
        CHECK(uplink->status().since == at(12, 0));
        CHECK(uplink->resume().has_value());
        CHECK(uplink->resume().has_value());
        CHECK(uplink->is_open(at(14, 0)));
    }
    CHECK(must(Uplink::load({}, *box.catalog))->is_open(at(15, 0)));
}
