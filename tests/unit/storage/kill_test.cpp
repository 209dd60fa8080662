// A real process, a real file system, and kill -9.
#include "storage/group_commit.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;

namespace {

constexpr int kRounds = 300;
constexpr int kProducers = 4;
// The thread sanitizer does not follow threads into a forked process.
#if defined(__SANITIZE_THREAD__)
constexpr bool kSkip = true;
#else
constexpr bool kSkip = false;
#endif

struct Acknowledged {
    std::int32_t producer;
    std::int32_t serial;
    std::int64_t offset;
};

LogOptions killed_log_options() {
    LogOptions options;
    options.segment_bytes = 32U << 10U;
    return options;
}

/// Appends until it is killed, and tells of each record that was accepted.
[[noreturn]] void append_for_ever(const std::string& directory, int pipe, int first_serial) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    PosixFileSystem files;
    SystemClock clock;
    DiskBudget budget;
    auto log = Log::open({files, clock, budget, {}}, directory, "s", killed_log_options());
    if (!log) ::_exit(1);
    GroupCommit commit({}, {});
    std::vector<std::thread> threads;
    for (int p = 0; p < kProducers; ++p) {
        threads.emplace_back([&, p] {
            for (int serial = first_serial;; ++serial) {
                const auto value = std::to_string(p) + ":" + std::to_string(serial) + std::string(100, 'x');
                const auto offset = commit.append(**log, record(value)).get();
                if (!offset) ::_exit(2);
                const Acknowledged told{p, serial, offset->value()};
                if (::write(pipe, &told, sizeof told) != sizeof told) ::_exit(3);
            }
        });
    }
    for (;;) ::pause();
}

}  // namespace

TEST_CASE("log: killed 300 times while it appends, it has every record that was acknowledged, where it said" *
          doctest::skip(kSkip)) {
    const TempDir dir;
    const auto directory = dir / "s-0";
    std::mt19937 random(4711);
    std::vector<Acknowledged> told;
    for (int round = 0; round < kRounds; ++round) {
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        const auto child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) append_for_ever(directory, ends[1], round * 1'000'000);
        ::close(ends[1]);
        // Every other one has acknowledged something when it dies, however slow the machine is.
        if (Acknowledged first{}; round % 2 == 0 && ::read(ends[0], &first, sizeof first) == sizeof first) {
            told.push_back(first);
        }
        ::usleep(static_cast<useconds_t>(500 + random() % 15'000));
        ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        REQUIRE(WIFSIGNALED(status));
        for (Acknowledged one{}; ::read(ends[0], &one, sizeof one) == sizeof one;) told.push_back(one);
        ::close(ends[0]);
    }
    CHECK(told.size() >= kRounds / 2);

    PosixFileSystem files;
    const SystemClock clock;
    DiskBudget budget;
    int gaps = 0;
    const auto log =
        must(Log::open({files, clock, budget, [&](const Gap&) { ++gaps; }}, directory, "s", killed_log_options()));
    std::map<std::int64_t, std::string> kept;
    LogReader reader(*log, Offset(0));
    while (auto batch = must(reader.next())) {
        for (const auto& each : batch->records()) kept.emplace(each.offset.value(), *each.value);
    }
    for (const auto& one : told) {
        const auto found = kept.find(one.offset);
        REQUIRE(found != kept.end());
        CHECK(found->second.starts_with(std::to_string(one.producer) + ":" + std::to_string(one.serial) + "x"));
    }
    CHECK(static_cast<std::int64_t>(kept.size()) == log->log_end_offset().value());
    CHECK(gaps == 0);
}
