#include "bridge/kafka/set_asides.hpp"

#include "bridge/dead_letter.hpp"
#include "storage/assert.hpp"
#include "storage/log_reader.hpp"

#include <algorithm>

namespace sluice::bridge::kafka {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kWaitingMax = 1000;
// Space is made within a second or two where there is anything to give up.
constexpr auto kSpacePatience = 10s;

storage::Log& must_find(storage::LogDir& logs, const std::string& stream) {
    auto* log = logs.find(stream);
    SLUICE_ASSERT(log != nullptr);
    return *log;
}

/// Noted, so that a kill before its report is durable doesn't hide it.
void give_up(const storage::Log& log, const storage::Gap& gap) {
    if (!log.give_up(gap)) log.report_gap(gap);
}

/// Kafka refuses times far ahead of its own: the dead letter must not meet the same fate.
void not_ahead_of(storage::Timestamp now, storage::Record& record) {
    if (record.timestamp <= now) return;
    const auto claimed = std::to_string(record.timestamp.time_since_epoch().count());
    record.headers.push_back({"sluice.timestamp", claimed});
    record.timestamp = now;
}

}  // namespace

SetAsides::SetAsides(storage::LogDir& logs, storage::GroupCommit& commit, const std::string& dead_letter_stream,
                     Report report, std::function<void()> wake)
    : commit_(commit),
      dead_letters_(must_find(logs, dead_letter_stream)),
      report_(std::move(report)),
      wake_(std::move(wake)) {}

bool SetAsides::full() const {
    return asides_.size() >= kWaitingMax;
}

void SetAsides::add(std::uint32_t stream, const storage::Log& log, storage::Offset offset, std::string why,
                    TimePoint now) {
    if (&log == &dead_letters_) {
        log.report_gap({log.name(), offset, offset + 1, 1,
                        "a dead letter that Kafka refuses too, it is in the local log only: " + why});
        finished_.push_back({stream, offset});
        return;
    }
    report_(Severity::warning, "stream " + log.name(),
            "offset " + std::to_string(offset.value()) + " goes to " + dead_letters_.name() + ": " + why);
    if (asides_.empty()) last_progress_ = now;
    asides_.push_back({stream, &log, offset, std::move(why)});
}

std::vector<SetAsides::Finished> SetAsides::serve(TimePoint now) {
    take_answers(now);
    hand_over();
    give_up_for_space(now);
    return std::exchange(finished_, {});
}

void SetAsides::take_answers(TimePoint now) {
    std::vector<Answer> answers;
    {
        const std::lock_guard lock(answers_mutex_);
        answers.swap(answers_);
    }
    for (const auto& answer : answers) {
        const auto found = find(answer.of.stream, answer.of.offset);
        if (found == asides_.end()) continue;  // given up, and there was space after all
        if (!answer.result && answer.result.error().kind() != storage::Errc::invalid) continue;  // the agent ends
        if (!answer.result) stays_behind(*found, answer.result.error().message());
        finished_.push_back(answer.of);
        asides_.erase(found);
        last_progress_ = now;
    }
}

void SetAsides::hand_over() {
    for (auto aside = asides_.begin(); aside != asides_.end() && commit_.has_room(dead_letters_);) {
        if (aside->handed_over) {
            ++aside;
            continue;
        }
        const auto letter = letter_of(*aside);
        const Finished of{aside->stream, aside->offset};
        if (!letter) {
            stays_behind(*aside, letter.error().message());
            finished_.push_back(of);
            aside = asides_.erase(aside);
            continue;
        }
        aside->handed_over = true;
        ++aside;
        commit_.append_without_wait(dead_letters_, *letter, [this, of](const auto& result) {
            {
                const std::lock_guard lock(answers_mutex_);
                answers_.push_back({of, result});
            }
            wake_();
        });
    }
}

/// The disk is full, and what fills it may be the very segment that can't go before its refused records are kept
/// elsewhere. So that segment is let go, and no more than that: it makes room for the dead letters of the next ones.
void SetAsides::give_up_for_space(TimePoint now) {
    if (asides_.empty() || now - last_progress_ < kSpacePatience || !commit_.waits_for_space(dead_letters_)) return;
    last_progress_ = now;
    const auto first = asides_.front();
    const auto next_segment = first.log->segments().first_base_after(first.offset);
    storage::Gap gap{first.log->name(), first.offset, first.offset + 1, 0, {}};
    std::erase_if(asides_, [&](const Aside& aside) {
        if (aside.log != first.log || (next_segment && aside.offset >= *next_segment)) return false;
        gap.first = std::min(gap.first, aside.offset);
        gap.next = std::max(gap.next, aside.offset + 1);
        ++*gap.count;
        finished_.push_back({aside.stream, aside.offset});
        return true;
    });
    gap.reason = "refused by Kafka, and no space for dead letters: " + first.why;
    give_up(*first.log, gap);
}

void SetAsides::stays_behind(const Aside& aside, const std::string& reason) {
    give_up(*aside.log, {aside.log->name(), aside.offset, aside.offset + 1, 1,
                         "refused by Kafka, and no dead letter is possible: " + reason + ": " + aside.why});
}

/// The record was sent from a batch that is gone: read again.
storage::Result<storage::Record> SetAsides::letter_of(const Aside& aside) const {
    storage::LogReader reader(*aside.log, aside.offset);
    const auto batch = reader.next();
    if (!batch) return batch.error();
    if (!*batch || (*batch)->records().empty() || (*batch)->records().front().offset != aside.offset) {
        return storage::Error(storage::Errc::not_found, "it can't be read again");
    }
    auto record = (*batch)->records().front().to_record();
    std::erase_if(record.headers,
                  [](const storage::Header& header) { return header.key.starts_with(storage::kInternalHeaderPrefix); });
    not_ahead_of(clock_.now(), record);
    record.headers.insert(record.headers.begin(),
                          {{std::string(kOriginOffsetHeader), std::to_string(aside.offset.value())},
                           {std::string(kOriginLogHeader), aside.log->id().to_string()}});
    return make_dead_letter(std::move(record), kReasonRefusedByKafka, aside.why, aside.log->name());
}

SetAsides::Asides::iterator SetAsides::find(std::uint32_t stream, storage::Offset offset) {
    return std::find_if(asides_.begin(), asides_.end(),
                        [&](const Aside& aside) { return aside.stream == stream && aside.offset == offset; });
}

}  // namespace sluice::bridge::kafka
