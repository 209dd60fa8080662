#include "agent/pulse.hpp"

#include "storage/clock.hpp"
#include "storage/group_commit.hpp"
#include "storage/log_dir.hpp"
#include "tests/support/fault_file_system.hpp"
#include "tests/unit/agent/support.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace sluice;
using namespace sluice::agent;
using namespace std::chrono_literals;
using sluice::test::TempDir;

namespace {

using TimePoint = Pulse::TimePoint;

Pulse::Parts parts_of(storage::GroupCommit& commit) {
    return {[&commit](std::function<void()> task) { commit.post(std::move(task)); }, [] { return std::nullopt; }};
}

/// What the main thread does a few times a second, until it sees a stuck thread or 10 s are over.
std::optional<std::string> watch(Pulse& pulse, std::chrono::milliseconds until = 10s) {
    const auto end = TimePoint::clock::now() + until;
    while (TimePoint::clock::now() < end) {
        if (auto stuck = pulse.stuck(TimePoint::clock::now())) return stuck;
        std::this_thread::sleep_for(10ms);
    }
    return std::nullopt;
}

}  // namespace

TEST_CASE("pulse: a sync that never ends is noticed, and its end too") {
    const TempDir dir;
    sluice::test::Faults faults;
    sluice::test::FaultFileSystem files(faults);
    const storage::SystemClock clock;
    auto logs = storage::LogDir::open(files, clock, dir / "data");
    REQUIRE(logs.has_value());
    auto log = (*logs)->open_stream("t", storage::LogOptions());
    REQUIRE(log.has_value());
    storage::GroupCommit commit({}, {});
    Pulse pulse(parts_of(commit), 200ms);
    CHECK(watch(pulse, 300ms) == std::nullopt);

    faults.hang_syncs = true;
    storage::Record record;
    record.value = "x";
    auto done = commit.append(**log, record);
    // Asked every two seconds: it takes that long, and the patience, to know.
    CHECK(watch(pulse) == "log");
    CHECK(done.wait_for(0s) == std::future_status::timeout);

    faults.hang_syncs = false;
    CHECK(done.get().has_value());
    std::this_thread::sleep_for(50ms);
    CHECK(watch(pulse, 300ms) == std::nullopt);
    commit.stop();
}

TEST_CASE("pulse: a forward thread that doesn't come round is noticed") {
    const auto start = TimePoint::clock::now();
    auto turn = start;
    Pulse pulse({[](const std::function<void()>& task) { task(); }, [&] { return std::optional(turn); }}, 30s);
    CHECK(pulse.stuck(start) == std::nullopt);
    CHECK(pulse.stuck(start + Pulse::kForwardPatience) == std::nullopt);
    CHECK(pulse.stuck(start + Pulse::kForwardPatience + 1s) == "forward");
    turn = start + Pulse::kForwardPatience;
    CHECK(pulse.stuck(start + Pulse::kForwardPatience + 1s) == std::nullopt);
}

TEST_CASE("pulse: a log thread that is slow, and within its patience, is not stuck") {
    std::function<void()> waiting;
    Pulse pulse({[&](std::function<void()> task) { waiting = std::move(task); }, [] { return std::nullopt; }}, 5s);
    const auto start = TimePoint::clock::now();
    CHECK(pulse.stuck(start) == std::nullopt);
    CHECK(pulse.stuck(start + 5s) == std::nullopt);
    CHECK(pulse.stuck(start + 6s) == "log");
    waiting();
    CHECK(pulse.stuck(start + 7s) == std::nullopt);
}
