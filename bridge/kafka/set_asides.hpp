// set_asides.hpp: records that Kafka refuses, on their way into the dead-letter stream.
//
// Invariants
//   - nothing here waits: a dead letter is handed over where the commit has room for it, else later.
//   - a record is finished when its dead letter is durable, or when it is certain that there will be none. The latter
//     is reported as a gap, before the cursor passes the record.
// One thread.
#pragma once

#include "bridge/report.hpp"
#include "storage/clock.hpp"
#include "storage/group_commit.hpp"
#include "storage/log_dir.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace sluice::bridge::kafka {

class SetAsides {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;
    struct Finished {
        std::uint32_t stream;
        storage::Offset offset;
    };

    /// @param wake  called on the log thread when serve() has something to do. It, and this, outlive the commit's
    /// thread
    SetAsides(storage::LogDir& logs, storage::GroupCommit& commit, const std::string& dead_letter_stream, Report report,
              std::function<void()> wake);

    /// @param stream  the caller's number for `log`
    void add(std::uint32_t stream, const storage::Log& log, storage::Offset offset, std::string why, TimePoint now);
    /// Does what can be done now. Called at least once a second while there are some.
    /// @return what is finished since the last call
    [[nodiscard]] std::vector<Finished> serve(TimePoint now);
    /// Whether so many wait that no more records should be sent, as they may be refused too.
    [[nodiscard]] bool full() const;

 private:
    struct Aside {
        std::uint32_t stream;
        const storage::Log* log;
        storage::Offset offset;
        std::string why;
        bool handed_over = false;
    };
    using Asides = std::deque<Aside>;

    void take_answers(TimePoint now);
    void hand_over();
    void give_up_for_space(TimePoint now);
    /// There will be no dead letter of it.
    void stays_behind(const Aside& aside, const std::string& reason);
    [[nodiscard]] storage::Result<storage::Record> letter_of(const Aside& aside) const;
    [[nodiscard]] Asides::iterator find(std::uint32_t stream, storage::Offset offset);

    storage::GroupCommit& commit_;
    storage::Log& dead_letters_;
    const Report report_;
    const std::function<void()> wake_;
    const storage::SystemClock clock_;
    Asides asides_;
    std::vector<Finished> finished_;
    TimePoint last_progress_{};  // or when the first of them came
    struct Answer {
        Finished of;
        storage::Result<storage::Offset> result;
    };
    std::mutex answers_mutex_;
    std::vector<Answer> answers_;  // of the log thread
};

}  // namespace sluice::bridge::kafka
