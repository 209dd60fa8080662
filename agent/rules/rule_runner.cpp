// The thread, and what it does with each stream. How a stream begins: rule_runner_open.cpp.
#include "agent/rules/rule_runner.hpp"

#include "bridge/route/route.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace sluice::agent {

namespace {

using SteadyClock = std::chrono::steady_clock;

// Between its arrival and its place in the queue of the log a record is nowhere to be seen: for microseconds, or until
// a busy machine goes on.
constexpr auto kOnItsWay = std::chrono::seconds(2);
constexpr auto kDurableWithin = std::chrono::seconds(2);
constexpr auto kLook = std::chrono::milliseconds(500);
// A snapshot costs flash, a replay time: millions of records take seconds.
constexpr auto kSnapshotInterval = std::chrono::seconds(30);
constexpr std::uint64_t kSnapshotBytesPerSecond = 16U << 10U;
constexpr std::int64_t kSnapshotRecords = 5'000'000;
constexpr int kNice = 5;  // who takes messages in or sends them on goes first

}  // namespace

RuleRunner::RuleRunner(const RulesConfig& config, std::string data_dir, RuleRunnerParts parts)
    : devices_max_(config.devices_max),
      hash_key_(config.hash_key.value_or("")),
      data_dir_(std::move(data_dir)),
      parts_(std::move(parts)),
      alerts_(*parts_.logs.find(kAlertsStream)) {}

RuleRunner::~RuleRunner() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void RuleRunner::start() {
    std::map<std::string, std::string> newest;
    {
        const std::lock_guard lock(mutex_);
        started_ = true;
        newest.swap(to_tell_);
    }
    for (const auto& [key, value] : newest) parts_.on_alert(key, value);
    for (auto& stream : streams_) {
        stream->subscription = stream->log->subscribe([this] {
            {
                const std::lock_guard lock(mutex_);
                woken_ = true;
            }
            changed_.notify_all();
        });
    }
    thread_ = std::thread([this] { run(); });
}

void RuleRunner::stop(SteadyTime deadline) {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    for (auto& stream : streams_) stream->subscription.reset();
    // Others have to end by then too. Without a snapshot the next start takes longer, and is as right.
    if (!wait_until_durable(std::min(deadline, SteadyClock::now() + kDurableWithin))) return;
    for (auto& stream : streams_) snapshot_or_say(*stream);
}

void RuleRunner::run() {
    ::pthread_setname_np(::pthread_self(), "rules");
    static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kNice));
    const auto goes_on = [this] {
        const std::lock_guard lock(mutex_);
        return !stopping_ && !failed_;
    };
    while (goes_on()) {
        bool busy = false;
        std::uint64_t firing = 0;
        std::uint64_t devices = 0;
        std::int64_t backlog = 0;
        for (auto& stream : streams_) {
            busy = step(*stream) || busy;
            if (snapshot_is_due(*stream) && wait_until_durable(SteadyClock::now() + kLook)) snapshot_or_say(*stream);
            firing += stream->rules->set().firing();
            devices += stream->rules->set().devices();
            backlog += stream->log->high_watermark() - stream->reader.position();
        }
        firing_ = firing;
        devices_ = devices;
        backlog_ = static_cast<std::uint64_t>(std::max<std::int64_t>(backlog, 0));
        if (!busy) wait();
    }
}

void RuleRunner::wait() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kLook, [this] { return woken_ || stopping_; });
    woken_ = false;
}

/// @return whether there was a batch
bool RuleRunner::step(Stream& stream) {
    tell_gap(stream);
    // What arrives from now on arrives later, and where nothing is on its way to the disk, all else can be read.
    const auto before = parts_.clock.now();
    const bool all_is_there = parts_.commit.is_idle(*stream.log);
    auto batch = stream.reader.next(std::move(stream.memory));
    if (!batch) {
        parts_.report(bridge::Severity::error, "rules", batch.error().message());
        wait();
        return false;
    }
    const auto give = sink(stream.name, *stream.log);
    if (!*batch) {
        stream.rules->caught_up(give);
        if (all_is_there) stream.rules->advance(before - kOnItsWay, give);
        return false;
    }
    for (const auto& record : (*batch)->records()) stream.rules->take(record, give);
    records_ += (*batch)->records().size();
    stream.memory = std::move(**batch);
    return true;
}

void RuleRunner::tell_gap(Stream& stream) {
    const auto start = stream.log->log_start_offset();
    const auto position = stream.reader.position();
    if (position < start) {
        parts_.on_gap(stream.name, position, start);
        stream.reader.seek(start);
    }
    const auto evicted = stream.rules->set().counters().evicted;
    if (evicted > 0 && stream.evicted_told == 0) {
        parts_.report(bridge::Severity::warning, "rules",
                      "stream " + stream.name + " has more than " + std::to_string(devices_max_) +
                          " devices: those that were silent longest make room, and their alerts end "
                          "(rules.max_devices)");
    }
    stream.evicted_told = evicted;
    const auto left_out = stream.rules->left_out();
    if (left_out > 0 && stream.left_out_told == 0) {
        parts_.report(bridge::Severity::warning, "rules",
                      "stream " + stream.name + ": a record is no JSON object, and nothing is derived from it");
    }
    left_out_ += left_out - stream.left_out_told;
    stream.left_out_told = left_out;
}

StreamRules::Sink RuleRunner::sink(const std::string& stream, const storage::Log& log) {
    return
        [this, &stream, &log](const models::Alert& alert, const AlertPosition& position, storage::Timestamp arrival) {
            append_alert(alert_record(alert_json(alert, stream), arrival, stream, log.id(), position));
        };
}

StreamRules::OnDerived RuleRunner::derived_sink(const std::string& stream, const storage::Log& log) {
    return [this, &stream, &log](const std::string& to, storage::Record record, const AlertPosition& position) {
        auto* target = parts_.logs.find(to);
        if (target == nullptr) return;  // of rules that are gone, whose stream is too
        add_position(record, stream, log.id(), position);
        // Rules may look at it in turn, by the time of its arrival here.
        const auto delay = parts_.clock.now() - record.timestamp;
        record.headers.push_back({bridge::kArrivalHeader, std::to_string(delay.count())});
        append(*target, std::move(record), derived_, false);
    };
}

/// @param tells  whether somebody is to hear of it once it is durable
void RuleRunner::append(storage::Log& to, storage::Record record, std::atomic<std::uint64_t>& count, bool tells) {
    // Not GroupCommit's own wait: on a full disk it ends with the log thread, which ends after this one.
    while (!parts_.commit.has_room(to)) {
        std::unique_lock lock(mutex_);
        if (changed_.wait_for(lock, kLook, [this] { return stopping_; })) {
            failed_ = true;  // no snapshot: the next start evaluates it again
            return;
        }
    }
    {
        const std::lock_guard lock(mutex_);
        ++outstanding_;
    }
    auto told = tells ? std::make_shared<std::pair<std::string, std::string>>(*record.key, *record.value) : nullptr;
    parts_.commit.append_without_wait(to, record, [this, told, &count](const storage::Result<storage::Offset>& result) {
        if (result) {
            ++count;
            if (told) {
                book_.note(told->second);
                tell(told->first, told->second);
            }
        } else if (result.error().kind() == storage::Errc::invalid) {
            parts_.report(bridge::Severity::error, "rules", "a record is lost: " + result.error().message());
        }
        const std::lock_guard lock(mutex_);
        --outstanding_;
        failed_ = failed_ || (!result && result.error().kind() != storage::Errc::invalid);
        changed_.notify_all();
    });
}

void RuleRunner::tell(const std::string& key, const std::string& value) {
    {
        const std::lock_guard lock(mutex_);
        if (!started_) {
            to_tell_[key] = value;
            return;
        }
    }
    parts_.on_alert(key, value);
}

bool RuleRunner::wait_until_durable(SteadyTime deadline) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, deadline, [this] { return outstanding_ == 0 || failed_; });
    return outstanding_ == 0 && !failed_;
}

bool RuleRunner::snapshot_is_due(const Stream& stream) const {
    const auto done = stream.rules->next() - stream.saved_next;
    if (done == 0) return false;
    // What is deleted can't be evaluated again.
    if (stream.log->log_start_offset() > stream.saved_next || done >= kSnapshotRecords) return true;
    const auto interval = std::max<std::chrono::seconds>(
        kSnapshotInterval, std::chrono::seconds(stream.saved_bytes / kSnapshotBytesPerSecond));
    return SteadyClock::now() >= stream.saved_at + interval;
}

/// All alerts are durable.
storage::Result<void> RuleRunner::take_snapshot(Stream& stream) {
    SnapshotHeader header{stream.log->id().to_string(),
                          alerts_.id().to_string(),
                          alerts_.high_watermark().value(),
                          devices_max_,
                          stream.sources,
                          {}};
    for (const auto* target : targets_of(stream.sources)) {
        header.derived_from[target->name()] = {target->id().to_string(), target->high_watermark().value()};
    }
    const auto bytes = store_snapshot(parts_.files, data_dir_, stream.name, header,
                                      [&](models::StateWriter& writer) { stream.rules->save(writer); });
    if (!bytes) return bytes.error();
    stream.saved_next = stream.rules->next();
    stream.saved_bytes = *bytes;
    stream.saved_at = SteadyClock::now();
    return {};
}

void RuleRunner::snapshot_or_say(Stream& stream) {
    if (const auto done = take_snapshot(stream); !done) {
        stream.saved_at = SteadyClock::now();  // the next try is not at once
        parts_.report(bridge::Severity::warning, "rules", "state not saved: " + done.error().message());
    }
}

RuleRunner::Status RuleRunner::status() const {
    return {records_, appended_, derived_, left_out_, backlog_, firing_, devices_};
}

}  // namespace sluice::agent
