// commit_sim: group commit over logs on a simulated disk, from a seed.
//
//     commit_sim --seeds 1000            as CI does
//     commit_sim --seed 47 --verbose     one again, step by step
//
// Several streams with their own on_full share one disk that fills up, fails calls (a sync too) and loses its power in
// the middle of any. Each record is answered exactly once; what was accepted is in the log at the offset that was told,
// once and in order, whatever comes after, or reported; and nothing is accepted after a failed sync.
// The log thread is held at a gate while the driver works, and let go for one commit at a time: so a run is the same
// again, and the simulated disk needs no locks.
#include "storage/group_commit.hpp"
#include "storage/log_reader.hpp"
#include "storage/quota.hpp"
#include "tests/chaos/seeds.hpp"
#include "tests/support/sim_file_system.hpp"
#include "tests/support/test_clock.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <future>
#include <iostream>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sluice::test {

using namespace storage;
using namespace std::chrono_literals;

namespace {

struct Sent {
    int answers = 0;
    std::optional<std::int64_t> accepted;  ///< the offset that was told
};

/// A stream, and what is known of it.
struct Stream {
    std::string name;
    LogOptions options;
    std::unique_ptr<Log> log;
    std::deque<Sent> sent;  ///< by the number in the record's value
    std::vector<Gap> gaps;
    bool refused = false;  ///< by a log that takes no more writes, in this process
};

class CommitSimulation {
 public:
    CommitSimulation(std::uint64_t seed, bool verbose) : random_(seed), verbose_(verbose), files_(seed * 17 + 3) {
        const auto streams = 1 + pick(3);
        for (std::uint64_t i = 0; i < streams; ++i) {
            LogOptions options;
            options.segment_bytes = 300 + pick(3000);
            options.compression = toss(50) ? Compression::none : Compression::lz4;
            options.tail_cache_bytes = toss(50) ? 0 : 1000;
            options.on_full = std::array{OnFull::block, OnFull::drop_newest, OnFull::drop_oldest}[pick(3)];
            streams_.push_back({"s" + std::to_string(i), options, nullptr, {}, {}});
        }
        quota_ = toss(40) ? 10'000 + pick(30'000) : DiskBudget::kUnlimited;
        if (toss(40)) files_.set_capacity(10'000 + pick(30'000));
    }
    ~CommitSimulation() {
        if (gate_) let_go();
    }
    CommitSimulation(const CommitSimulation&) = delete;
    CommitSimulation& operator=(const CommitSimulation&) = delete;

    void run() {
        start();
        const auto steps = 10 + pick(40);
        for (std::uint64_t i = 0; i < steps; ++i) {
            step();
            const bool ends = files_.is_down() || failed_ || toss(4) ||
                              std::any_of(streams_.begin(), streams_.end(), [](const auto& s) { return s.refused; });
            if (ends) restart();
            check();
        }
        restart();
        check();
    }

 private:
    std::uint64_t pick(std::uint64_t below) { return random_() % below; }
    bool toss(unsigned percent) { return pick(100) < percent; }
    void say(const std::string& what) const {
        if (verbose_) std::cerr << what << '\n';
    }

    void hold() {
        gate_.emplace();
        std::promise<void> held;
        commit_->post([&held, go = gate_->get_future().share()] {
            held.set_value();
            go.wait();
        });
        held.get_future().wait();
    }
    void let_go() {
        auto gate = std::move(*gate_);
        gate_.reset();
        gate.set_value();
    }

    void step() {
        if (toss(25)) arm();
        for (auto n = pick(8); n > 0; --n) send(streams_[pick(streams_.size())]);
        if (toss(30)) commit_->retry();
        say("commit");
        let_go();
        hold();
        const bool waits = commit_->counters().blocked_by_space;
        if (waits && toss(60) && !files_.is_down()) make_room();
    }

    void arm() {
        const auto n = pick(12);
        const auto kind = pick(3);
        say("armed " + std::to_string(kind) + " at " + std::to_string(n));
        if (kind == 0) return files_.crash_at(n);
        files_.fail_at(n, kind == 1 ? EIO : ENOSPC);
    }

    void send(Stream& stream) {
        const auto number = stream.sent.size();
        auto& sent = stream.sent.emplace_back();
        Record record;
        record.key = "k";
        record.value = std::to_string(number) + ":" + std::string(pick(200), 'x');
        record.timestamp = clock_.now();
        // Beyond any bound of the queue: its full state would make the driver wait for the thread that it holds.
        commit_->append_without_wait(*stream.log, record, [&stream, &sent](const Result<Offset>& result) {
            ++sent.answers;
            if (!result) {
                stream.refused |= result.error().kind() != Errc::no_space && result.error().kind() != Errc::closed;
                return;
            }
            sent.accepted = result->value();
            if (stream.refused) sent.answers = 100;  // after a failed sync
        });
    }

    void make_room() {
        say("make room");
        Quota quota(
            files_, clock_,
            [this](Log& log) {
                const auto done = log.roll();
                failed_ |= !done && done.error().kind() != Errc::no_space;
            },
            "reserve");
        std::vector<Log*> logs;
        for (auto& stream : streams_) logs.push_back(stream.log.get());
        for (auto& stream : streams_) {
            if (!commit_->waits_for_space(*stream.log)) continue;
            const auto room = quota.make_room(logs, *stream.log, [](std::size_t) { return true; });
            failed_ |= !room && room.error().kind() != Errc::no_space;
        }
        commit_->retry();
    }

    void start() {
        budget_.emplace(quota_);
        for (auto& stream : streams_) {
            auto opened =
                Log::open({files_, clock_, *budget_, [&stream](const Gap& gap) { stream.gaps.push_back(gap); }},
                          "/data/log/" + stream.name, stream.name, stream.options);
            if (!opened) throw std::runtime_error("can't be opened: " + opened.error().message());
            stream.log = std::move(*opened);
            stream.refused = false;
        }
        failed_ = false;
        commit_.emplace(GroupCommitOptions{.retry_interval = 1h}, GroupCommit::Observer{});
        hold();
    }

    void restart() {
        say("restart");
        let_go();
        hold();  // so that what is queued goes into one commit, and not into that of the stop as chance has it
        let_go();
        commit_.reset();
        for (auto& stream : streams_) {
            for (std::size_t i = 0; i < stream.sent.size(); ++i) {
                if (stream.sent[i].answers != 1) wrong(stream, i, "answered", stream.sent[i].answers);
            }
            stream.log.reset();
        }
        const bool power = files_.is_down() || toss(50);
        crashed_ |= files_.is_down();
        files_.calm();
        if (power) files_.crash_and_reboot();
        start();
    }

    static void wrong(const Stream& stream, std::size_t number, const std::string& what, std::int64_t where) {
        throw std::runtime_error(stream.name + ": record " + std::to_string(number) + " " + what + " " +
                                 std::to_string(where));
    }

    void check() {
        if (files_.is_down()) return;
        for (const auto& stream : streams_) check(stream);
    }

    void check(const Stream& stream) {
        std::map<std::size_t, std::int64_t> found;
        LogReader reader(*stream.log, Offset(0));
        for (;;) {
            const auto batch = reader.next();
            if (!batch) throw std::runtime_error("can't be read: " + batch.error().message());
            if (!*batch) break;
            for (const auto& record : (*batch)->records()) {
                const auto number = std::stoull(std::string(record.value.value_or("")));
                if (!found.empty() && number <= found.rbegin()->first) {
                    wrong(stream, number, "again or out of order at", record.offset.value());
                }
                found[number] = record.offset.value();
            }
        }
        std::int64_t missing = 0;
        for (std::size_t i = 0; i < stream.sent.size(); ++i) {
            const auto& sent = stream.sent[i];
            if (sent.answers > 1) wrong(stream, i, "answered twice, or accepted after a failed sync at", sent.answers);
            if (!sent.accepted) continue;
            const auto place = found.find(i);
            if (place == found.end() && in_gap(stream, *sent.accepted)) continue;
            if (place == found.end() && stream.options.on_full != OnFull::drop_newest) {
                wrong(stream, i, "was accepted and is not at", *sent.accepted);
            }
            if (place == found.end())
                ++missing;
            else if (place->second != *sent.accepted)
                wrong(stream, i, "is at another offset than", *sent.accepted);
        }
        check_dropped(stream, missing);
    }

    /// What drop_newest has dropped since its last report is told when it ends; a loss of power cuts that short.
    void check_dropped(const Stream& stream, std::int64_t missing) {
        std::int64_t told = 0;
        for (const auto& gap : stream.gaps) told += gap.count.value_or(0);
        const bool may_lag = crashed_ || commit_->waits_for_space(*stream.log);
        if (missing > told && !(may_lag && told > 0)) wrong(stream, 0, "and so on: dropped without a report:", missing);
    }

    static bool in_gap(const Stream& stream, std::int64_t offset) {
        return std::any_of(stream.gaps.begin(), stream.gaps.end(), [&](const Gap& gap) {
            return gap.first.value() <= offset && offset < gap.next.value() &&
                   gap.reason.find("damaged") == std::string::npos;
        });
    }

    std::mt19937_64 random_;
    const bool verbose_;
    SimFileSystem files_;
    TestClock clock_;
    std::uint64_t quota_ = 0;
    std::optional<DiskBudget> budget_;
    std::deque<Stream> streams_;
    bool failed_ = false;   // as the agent would end
    bool crashed_ = false;  // in the middle of something, at least once
    std::optional<GroupCommit> commit_;
    std::optional<std::promise<void>> gate_;
};

}  // namespace

}  // namespace sluice::test

int main(int argc, char** argv) {
    return sluice::test::run_seeds(argc, argv, 1000, [](std::uint64_t seed, bool verbose) {
        sluice::test::CommitSimulation(seed, verbose).run();
    });
}
