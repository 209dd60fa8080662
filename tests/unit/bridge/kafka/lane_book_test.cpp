// The lanes of live_first against a plain model: random sends, commits, kills, outages and restarts, from a seed.
#include "bridge/kafka/lane_book.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

using namespace sluice::bridge::kafka;
using sluice::storage::Offset;

namespace {

/// A stream whose two lanes send from a log, in transactions: what is sent counts when it is committed, with the
/// progress that it was committed with.
class Model {
 public:
    explicit Model(std::uint32_t seed) : random_(seed) {}

    void run(int steps) {
        for (int i = 0; i < steps; ++i) step();
        while (!is_done()) {  // nothing arrives any more
            send(newest_, 8, end_);
            if (book_.is_open()) send(backlog_, 8, book_.newest_from().value());
            commit();
        }
    }

    std::map<std::int64_t, int> arrived;  // offset, and how often
    bool in_order = true;                 // within each lane
    int opened = 0;
    int reopened = 0;
    int killed_open = 0;

 private:
    struct Lane {
        std::int64_t committed = 0;
        std::int64_t sent = 0;
        std::int64_t last = -1;  // offset that has arrived
        std::vector<std::int64_t> open;
    };

    [[nodiscard]] unsigned pick(unsigned n) { return static_cast<unsigned>(random_() % n); }
    [[nodiscard]] bool is_done() const { return stored_ == Progress{Offset(end_), {}}; }

    void step() {
        switch (pick(9)) {
            case 0:
                end_ += pick(20);
                break;
            case 1:
            case 2:
                send(newest_, pick(8), end_);
                break;
            case 3:
            case 4:
                if (book_.is_open()) send(backlog_, pick(8), book_.newest_from().value());
                break;
            case 5:
                commit();
                break;
            case 6:
                abort();
                break;
            case 7:
                if (pick(4) == 0) outage();
                break;
            default:
                if (pick(6) == 0) kill();
        }
    }

    void send(Lane& lane, unsigned count, std::int64_t limit) {
        for (unsigned i = 0; i < count && lane.sent < limit; ++i) {
            const auto& before = book_.sent_before();
            const auto in = std::find_if(before.begin(), before.end(), [&](const auto& range) {
                return range.first.value() <= lane.sent && lane.sent < range.next.value();
            });
            if (&lane == &backlog_ && in != before.end()) {
                lane.sent = in->next.value();
                continue;
            }
            lane.open.push_back(lane.sent++);
        }
    }

    void commit() {
        stored_ = book_.progress(Offset(backlog_.sent), Offset(newest_.sent));
        for (auto* lane : {&backlog_, &newest_}) {
            for (const auto offset : lane->open) {
                ++arrived[offset];
                if (offset <= lane->last) in_order = false;
                lane->last = offset;
            }
            lane->open.clear();
            lane->committed = lane->sent;
        }
        if (book_.is_open() && backlog_.committed >= book_.newest_from().value()) book_.close();
    }

    void abort() {
        for (auto* lane : {&backlog_, &newest_}) {
            lane->open.clear();
            lane->sent = lane->committed;
        }
    }

    void outage() {
        end_ += pick(60);
        if (book_.is_open()) {
            if (newest_.committed != newest_.sent || end_ - newest_.sent < 10) return;
            book_.reopen(Offset(newest_.committed), Offset(end_));
            ++reopened;
        } else {
            if (end_ - newest_.sent < 10) return;
            // The lane changes its role; what it has sent so far was live.
            const auto last = newest_.last;
            newest_.last = backlog_.last;
            backlog_ = newest_;
            newest_ = Lane{end_, end_, last, {}};
            book_.open(Offset(end_));
            ++opened;
        }
        newest_.committed = newest_.sent = end_;
    }

    void kill() {
        killed_open += book_.is_open() ? 1 : 0;
        abort();
        book_ = LaneBook();
        book_.restore(stored_);
        backlog_.committed = backlog_.sent = stored_.next.value();
        newest_.committed = newest_.sent = stored_.end().value();
    }

    std::mt19937 random_;
    LaneBook book_;
    Lane backlog_;
    Lane newest_;
    std::int64_t end_ = 0;
    Progress stored_{Offset(0), {}};
};

}  // namespace

TEST_CASE("lanes: nothing is lost, nothing goes twice, and each lane goes upwards, whatever happens when") {
    int opened = 0;
    int reopened = 0;
    int killed_open = 0;
    for (std::uint32_t seed = 1; seed <= 2000; ++seed) {
        CAPTURE(seed);
        Model model(seed);
        model.run(400);
        REQUIRE(model.in_order);
        std::int64_t expected = 0;
        for (const auto& [offset, times] : model.arrived) {
            REQUIRE(offset == expected++);
            REQUIRE(times == 1);
        }
        opened += model.opened;
        reopened += model.reopened;
        killed_open += model.killed_open;
    }
    CHECK(opened > 1000);
    CHECK(reopened > 1000);
    CHECK(killed_open > 1000);
}
