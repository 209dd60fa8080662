#include "bridge/mqtt/qos2_state.hpp"

#include "storage/assert.hpp"
#include "storage/log_reader.hpp"

#include <xxhash.h>

#include <algorithm>
#include <sstream>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

using storage::Errc;
using storage::Error;
using storage::Offset;
using storage::Result;

constexpr std::uint64_t kCheckpointBytes = 4U << 20U;
// Releases are small, and recovery reads them all: they count for more than their bytes.
constexpr std::uint64_t kReleaseWeight = 16;
constexpr auto kAnswerLook = std::chrono::milliseconds(10);
constexpr std::string_view kReleased = "released ";
constexpr std::string_view kReleasedAll = "released-all ";
/// Of the state record, beside its text, which older versions read too: "COUNT ID CONTENT ID CONTENT … NAME" a line.
const std::string kContentsHeader = std::string(storage::kInternalHeaderPrefix) + "qos2-contents";
const std::string kAcceptHeader = std::string(storage::kInternalHeaderPrefix) + "qos2";

Error bad_state(const std::string& line) {
    return {Errc::corrupt, std::string(kInboundStream) + ": state record has a line that can't be read: " + line};
}

/// "COUNT FIRST LAST FIRST LAST …": numbers are given in order, so that a flood of messages is few runs.
template <class Numbers>
std::string to_text(const Numbers& numbers) {
    std::size_t runs = 0;
    std::ostringstream text;
    for (auto number = numbers.begin(); number != numbers.end(); ++runs) {
        const auto first = *number;
        auto last = first;
        for (++number; number != numbers.end() && *number == last + 1; ++number) last = *number;
        text << ' ' << first << ' ' << last;
    }
    return std::to_string(runs) + text.str();
}

template <class Take>
void read_runs(std::istringstream& words, const Take& take) {
    std::size_t runs = 0;
    words >> runs;
    for (std::uint64_t first = 0, last = 0; runs > 0 && words >> first >> last; --runs) {
        for (; first <= last; ++first) take(first);
    }
}

/// The rest of the line after one space: names may hold spaces.
std::string rest_of(std::istringstream& line) {
    std::string name;
    line.get();
    std::getline(line, name);
    return name;
}

}  // namespace

std::uint32_t checksum_of(const Message& message) {
    const auto topic = XXH3_64bits(message.topic.data(), message.topic.size());
    const auto both = XXH3_64bits_withSeed(message.payload.data(), message.payload.size(), topic);
    return std::max(static_cast<std::uint32_t>(both), 1U);
}

Qos2State::Qos2State(const storage::LogDir& logs, storage::GroupCommit& commit, storage::Log& inbound)
    : logs_(logs), commit_(commit), inbound_(inbound) {}

Result<std::unique_ptr<Qos2State>> Qos2State::recover(const storage::LogDir& logs, storage::GroupCommit& commit) {
    auto* inbound = logs.find(kInboundStream);
    SLUICE_ASSERT(inbound != nullptr);
    std::unique_ptr<Qos2State> state(new Qos2State(logs, commit, *inbound));
    auto recovered = state->read_inbound();
    if (!recovered) return recovered.error();
    auto newest = state->sequence_;
    for (const auto* log : logs.streams()) {
        if (log == inbound) continue;
        const auto start = recovered->starts.find(log->name() + ' ' + log->id().to_string());
        const auto last = state->scan(*log, start == recovered->starts.end() ? Offset(0) : start->second, *recovered);
        if (!last) return last.error();
        newest = std::max(newest, *last);
    }
    // A number that a release names is not given again: what is accepted next may be durable before the state record
    // is, and that release is not of it.
    for (const auto& release : recovered->releases) newest = std::max(newest, state->apply_release(release));
    state->sequence_ = newest;
    // Until a state record of this run is durable, the last one counts. Where nothing is unreleased no record is needed
    // for it: a full disk, which can't take a state record, is not to keep what may be deleted.
    for (auto* log : logs.streams()) {
        const auto start = recovered->starts.find(log->name() + ' ' + log->id().to_string());
        if (start != recovered->starts.end()) log->hold_from(start->second);
        if (log != inbound && state->sources_.empty()) log->hold_from(log->high_watermark());
    }
    state->begin_checkpoint([](const Result<void>&) {});
    return state;
}

Result<Qos2State::Recovered> Qos2State::read_inbound() {
    std::string state;
    std::string contents;
    Recovered recovered;
    storage::LogReader reader(inbound_, Offset(0));
    for (;;) {
        auto batch = reader.next();
        if (!batch) return batch.error();
        if (!*batch) break;
        for (const auto& record : (*batch)->records()) {
            std::string text(record.value.value_or(""));
            if (text.starts_with(kReleased) || text.starts_with(kReleasedAll)) {
                recovered.releases.push_back(std::move(text));
            } else {
                state = std::move(text);
                contents = find_header(record, kContentsHeader).value_or("");
                recovered.releases.clear();  // it knows of them
            }
        }
    }
    if (auto done = read_state(state, recovered); !done) return done.error();
    read_contents(contents);
    return recovered;
}

/// Where they can't be read, they are not known.
void Qos2State::read_contents(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::size_t count = 0;
        words >> count;
        std::map<std::uint16_t, std::uint32_t> contents;
        std::uint16_t packet_id = 0;
        std::uint32_t content = 0;
        for (; count > 0 && words >> packet_id >> content; --count) contents.emplace(packet_id, content);
        const auto source = words ? sources_.find(rest_of(words)) : sources_.end();
        if (source == sources_.end()) continue;
        for (auto& [id, accepted] : source->second.unreleased) {
            if (const auto found = contents.find(id); found != contents.end()) accepted.content = found->second;
        }
    }
}

Result<void> Qos2State::read_state(const std::string& text, Recovered& into) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string kind;
        words >> kind;
        if (kind == "sequence") {
            words >> sequence_;
            read_runs(words, [&](std::uint64_t sequence) { into.pending.insert(sequence); });
        } else if (kind == "source") {
            Source source;
            read_runs(words,
                      [&](std::uint64_t id) { source.unreleased.emplace(static_cast<std::uint16_t>(id), Accepted{}); });
            if (words) sources_[rest_of(words)] = std::move(source);
        } else if (kind == "stream") {
            std::int64_t offset = 0;
            std::string id;
            words >> offset >> id;
            if (words) into.starts.emplace(rest_of(words) + ' ' + id, Offset(offset));
        } else {
            return bad_state(line);
        }
        if (words.fail()) return bad_state(line);
    }
    return {};
}

/// @return the greatest sequence number that was found
Result<std::uint64_t> Qos2State::scan(const storage::Log& log, Offset from, const Recovered& recovered) {
    std::uint64_t newest = 0;
    storage::LogReader reader(log, from);
    for (;;) {
        auto batch = reader.next();
        if (!batch) return batch.error();
        if (!*batch) return newest;
        for (const auto& record : (*batch)->records()) {
            if (const auto header = find_header(record, kAcceptHeader))
                newest = std::max(newest, apply(*header, recovered));
        }
    }
}

std::uint64_t Qos2State::apply(std::string_view accept_header, const Recovered& recovered) {
    std::istringstream words{std::string(accept_header)};
    std::uint64_t sequence = 0;
    std::uint16_t packet_id = 0;
    if (!(words >> sequence >> packet_id)) return 0;  // not ours: nothing else writes internal headers
    std::uint32_t content = 0;
    if (words.peek() == ':') {
        words.get();
        words >> content;
    }
    // The state record knows what became of the others.
    if (sequence <= sequence_ && !recovered.pending.contains(sequence)) return 0;
    auto& last = sources_[rest_of(words)].unreleased[packet_id];
    if (last.sequence <= sequence) last = {sequence, content};
    return sequence;
}

/// A release is of what was accepted before it: the identifier may be in use again.
std::uint64_t Qos2State::apply_release(const std::string& text) {
    std::istringstream words(text);
    std::string kind;
    std::uint64_t sequence = 0;
    std::uint16_t packet_id = 0;
    words >> kind >> sequence;
    const bool all = text.starts_with(kReleasedAll);
    if (!all) words >> packet_id;
    const auto name = rest_of(words);
    const auto source = sources_.find(name);
    if (source == sources_.end()) return sequence;
    std::erase_if(source->second.unreleased, [&](const auto& accepted) {
        return (all || accepted.first == packet_id) && accepted.second.sequence <= sequence;
    });
    forget_if_idle(name);
    return sequence;
}

bool Qos2State::is_accepted(const std::string& source, std::uint16_t packet_id) const {
    const std::lock_guard lock(mutex_);
    const auto found = sources_.find(source);
    return found != sources_.end() && found->second.unreleased.contains(packet_id);
}

std::vector<std::uint16_t> Qos2State::unreleased(const std::string& source) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint16_t> ids;
    const auto found = sources_.find(source);
    if (found == sources_.end()) return ids;
    for (const auto& [id, accepted] : found->second.unreleased) ids.push_back(id);
    return ids;
}

std::size_t Qos2State::unreleased_count(const std::string& source) const {
    const std::lock_guard lock(mutex_);
    const auto found = sources_.find(source);
    return found == sources_.end() ? 0 : found->second.unreleased.size();
}

Qos2State::Known Qos2State::compare(const Accepted& accepted, std::uint32_t content) {
    return accepted.content == 0 || accepted.content == content ? Known::same : Known::other;
}

Qos2State::Known Qos2State::look_up(const std::string& source, std::uint16_t packet_id, std::uint32_t content) const {
    const std::lock_guard lock(mutex_);
    const auto found = sources_.find(source);
    if (found == sources_.end()) return Known::free;
    const auto accepted = found->second.unreleased.find(packet_id);
    return accepted == found->second.unreleased.end() ? Known::free : compare(accepted->second, content);
}

Qos2State::Known Qos2State::join_accept(const std::string& source, std::uint16_t packet_id, std::uint32_t content,
                                        storage::Completion done) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = sources_.find(source);
        if (found == sources_.end()) return Known::free;
        // The newest of this identifier is what counts.
        auto& pending = found->second.pending;
        const auto newest = std::find_if(pending.rbegin(), pending.rend(), [&](const auto& each) {
            return each.second.packet_id == packet_id && !each.second.abandoned;
        });
        if (newest != pending.rend()) {
            const auto known = compare({newest->first, newest->second.content}, content);
            if (known == Known::same) newest->second.waiting.push_back(std::move(done));
            return known;
        }
        const auto accepted = found->second.unreleased.find(packet_id);
        if (accepted == found->second.unreleased.end()) return Known::free;
        if (compare(accepted->second, content) == Known::other) return Known::other;
    }
    done(Offset(0));
    return Known::same;
}

Qos2State::Accept Qos2State::begin_accept(const std::string& source, std::uint16_t packet_id, std::uint32_t content,
                                          storage::Log& log) {
    const std::lock_guard lock(mutex_);
    const auto sequence = ++sequence_;
    sources_[source].pending.emplace(sequence, Pending{packet_id, content, &log, log.high_watermark(), {}});
    const auto what = std::to_string(packet_id) + ':' + std::to_string(content);
    return {sequence, {kAcceptHeader, std::to_string(sequence) + ' ' + what + ' ' + source}};
}

void Qos2State::finish_accept(const std::string& source, std::uint64_t sequence) {
    std::vector<storage::Completion> waiting;
    {
        const std::lock_guard lock(mutex_);
        auto& state = sources_[source];
        const auto pending = state.pending.find(sequence);
        SLUICE_ASSERT(pending != state.pending.end());
        if (!pending->second.abandoned) {
            auto& last = state.unreleased[pending->second.packet_id];
            if (last.sequence <= sequence) last = {sequence, pending->second.content};
        }
        waiting.swap(pending->second.waiting);
        state.pending.erase(pending);
        forget_if_idle(source);
    }
    for (const auto& done : waiting) done(Offset(0));
}

void Qos2State::forget_if_idle(const std::string& source) {
    const auto found = sources_.find(source);
    if (found == sources_.end()) return;
    const auto& state = found->second;
    if (state.unreleased.empty() && state.pending.empty() && state.releasing == 0) sources_.erase(found);
}

bool Qos2State::release(const std::string& source, std::uint16_t packet_id, storage::Completion done) {
    const std::lock_guard write_lock(write_mutex_);
    std::uint64_t sequence = 0;
    bool known = false;
    {
        const std::lock_guard lock(mutex_);
        sequence = sequence_;
        const auto found = sources_.find(source);
        if (found != sources_.end()) {
            known = found->second.unreleased.erase(packet_id) > 0;
            ++found->second.releasing;
        }
        if (found == sources_.end()) packet_id = 0;
    }
    if (packet_id == 0) {  // nothing of this source is on the disk, nor on its way
        done(Offset(0));
        return false;
    }
    // Written even where it is not known: an earlier release of it may be on its way to the disk.
    write_release(source,
                  std::string(kReleased) + std::to_string(sequence) + ' ' + std::to_string(packet_id) + ' ' + source,
                  std::move(done));
    return known;
}

void Qos2State::release_all(const std::string& source, storage::Completion done) {
    const std::lock_guard write_lock(write_mutex_);
    std::optional<std::uint64_t> sequence;
    {
        const std::lock_guard lock(mutex_);
        const auto found = sources_.find(source);
        if (found != sources_.end()) {
            sequence = sequence_;
            found->second.unreleased.clear();
            for (auto& [number, pending] : found->second.pending) pending.abandoned = true;
            ++found->second.releasing;
        }
    }
    if (!sequence) return done(Offset(0));  // nothing of it is on the disk, nor on its way
    write_release(source, std::string(kReleasedAll) + std::to_string(*sequence) + ' ' + source, std::move(done));
}

void Qos2State::write_release(const std::string& source, std::string text, storage::Completion done) {
    storage::Record record;
    record.timestamp = storage::SystemClock().now();
    record.value = std::move(text);
    {
        const std::lock_guard lock(mutex_);
        bytes_since_checkpoint_ += record.size_bytes() * kReleaseWeight;
    }
    commit_.append_without_wait(inbound_, record, [this, source, done = std::move(done)](const auto& result) {
        {
            const std::lock_guard lock(mutex_);
            --sources_[source].releasing;
            forget_if_idle(source);
        }
        done(result);
    });
}

void Qos2State::note_accepted_bytes(std::uint64_t bytes) {
    {
        const std::lock_guard lock(mutex_);
        bytes_since_checkpoint_ += bytes;
        if (bytes_since_checkpoint_ < kCheckpointBytes) return;
    }
    checkpoint_soon();
}

Result<void> Qos2State::checkpoint(std::chrono::steady_clock::time_point deadline) {
    auto durable = std::make_shared<std::promise<Result<void>>>();  // it may be kept after the deadline
    auto answer = durable->get_future();
    begin_checkpoint([durable](Result<void> result) { durable->set_value(std::move(result)); });
    while (answer.wait_for(kAnswerLook) != std::future_status::ready) {
        if (commit_.waits_for_space(inbound_)) return Error(Errc::no_space, "no space for the state of QoS 2");
        if (std::chrono::steady_clock::now() >= deadline) return Error(Errc::closed, "no time for the state of QoS 2");
    }
    return answer.get();
}

void Qos2State::checkpoint_soon() {
    {
        const std::lock_guard lock(mutex_);
        if (bytes_since_checkpoint_ == 0) return;
    }
    begin_checkpoint([](const Result<void>&) {});
}

void Qos2State::begin_checkpoint(std::function<void(Result<void>)> done) {
    const std::lock_guard write_lock(write_mutex_);
    storage::Record record;
    auto starts = std::make_shared<Starts>();
    {
        const std::lock_guard lock(mutex_);
        *starts = scan_starts();
        record.value = state_text(*starts);
        record.headers.push_back({kContentsHeader, contents_text()});
        bytes_since_checkpoint_ = 0;
    }
    record.timestamp = storage::SystemClock().now();
    commit_.append_without_wait(inbound_, record, [starts, done = std::move(done)](const Result<Offset>& result) {
        if (!result) return done(result.error());
        for (const auto& [log, start] : *starts) log->hold_from(start);
        done({});
    });
}

Qos2State::Starts Qos2State::scan_starts() const {
    Starts starts;
    for (auto* log : logs_.streams()) {
        // An accept that is not finished is not in `unreleased`: recovery has to find its record.
        starts.emplace_back(log, log->high_watermark());
    }
    for (const auto& [name, source] : sources_) {
        for (const auto& [sequence, pending] : source.pending) {
            for (auto& [log, start] : starts) {
                if (log == pending.log) start = std::min(start, pending.not_before);
            }
        }
    }
    return starts;
}

std::string Qos2State::contents_text() const {
    std::ostringstream text;
    for (const auto& [name, source] : sources_) {
        if (source.unreleased.empty()) continue;
        text << source.unreleased.size();
        for (const auto& [id, accepted] : source.unreleased) text << ' ' << id << ' ' << accepted.content;
        text << ' ' << name << '\n';
    }
    return text.str();
}

std::string Qos2State::state_text(const Starts& starts) const {
    std::ostringstream text;
    std::set<std::uint64_t> all_pending;
    for (const auto& [name, source] : sources_) {
        for (const auto& [sequence, pending] : source.pending) all_pending.insert(sequence);
    }
    text << "sequence " << sequence_ << ' ' << to_text(all_pending) << '\n';
    for (const auto& [name, source] : sources_) {
        if (source.unreleased.empty()) continue;
        std::vector<std::uint16_t> ids;
        for (const auto& [id, accepted] : source.unreleased) ids.push_back(id);
        text << "source " << to_text(ids) << ' ' << name << '\n';
    }
    for (const auto& [log, start] : starts) {
        text << "stream " << start.value() << ' ' << log->id().to_string() << ' ' << log->name() << '\n';
    }
    return text.str();
}

}  // namespace sluice::bridge::mqtt
