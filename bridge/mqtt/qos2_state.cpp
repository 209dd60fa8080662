#include "bridge/mqtt/qos2_state.hpp"

#include "storage/assert.hpp"
#include "storage/log_reader.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

using storage::Errc;
using storage::Error;
using storage::Offset;
using storage::Result;

constexpr std::uint64_t kCheckpointBytes = 16U << 20U;
const std::string kAcceptHeader = std::string(storage::kInternalHeaderPrefix) + "qos2";

Error bad_state(const std::string& line) {
    return {Errc::corrupt, std::string(kInboundStream) + ": state record has a line that can't be read: " + line};
}

using Ids = std::set<std::uint16_t>;

/// "COUNT FIRST LAST FIRST LAST …": a broker numbers in order, so that a flood of messages is few runs.
std::string to_text(const Ids& ids) {
    std::size_t runs = 0;
    std::ostringstream text;
    for (auto id = ids.begin(); id != ids.end(); ++runs) {
        const auto first = *id;
        auto last = first;
        for (++id; id != ids.end() && *id == last + 1; ++id) last = *id;
        text << ' ' << first << ' ' << last;
    }
    return std::to_string(runs) + text.str();
}

Ids read_ids(std::istringstream& words) {
    Ids ids;
    std::size_t runs = 0;
    words >> runs;
    for (std::uint32_t first = 0, last = 0; runs > 0 && words >> first >> last; --runs) {
        for (; first <= last; ++first) ids.insert(ids.end(), static_cast<std::uint16_t>(first));
    }
    return ids;
}

/// The rest of the line after one space: names may hold spaces.
std::string rest_of(std::istringstream& line) {
    std::string name;
    line.get();
    std::getline(line, name);
    return name;
}

}  // namespace

Qos2State::Qos2State(const storage::LogDir& logs, storage::GroupCommit& commit, storage::Log& inbound)
    : logs_(logs), commit_(commit), inbound_(inbound) {}

Result<std::unique_ptr<Qos2State>> Qos2State::recover(const storage::LogDir& logs, storage::GroupCommit& commit) {
    auto* inbound = logs.find(kInboundStream);
    SLUICE_ASSERT(inbound != nullptr);
    std::unique_ptr<Qos2State> state(new Qos2State(logs, commit, *inbound));
    auto starts = state->read_last_state();
    if (!starts) return starts.error();
    // Streams are read one after the other, so sequence numbers come out of order: raised only when all are read.
    std::map<std::string, std::uint64_t> newest;
    for (const auto* log : logs.streams()) {
        if (log == inbound) continue;
        const auto start = starts->find(log->name() + ' ' + log->id().to_string());
        if (auto done = state->scan(*log, start == starts->end() ? Offset(0) : start->second, newest); !done) {
            return done.error();
        }
    }
    for (const auto& [source, sequence] : newest) state->sources_[source].sequence = sequence;
    if (auto done = state->checkpoint(); !done) return done.error();
    return state;
}

/// Takes sources_ from the last state record, and gives the offset to scan from by "stream log-id".
Result<std::map<std::string, Offset>> Qos2State::read_last_state() {
    std::map<std::string, Offset> starts;
    std::string text;
    storage::LogReader reader(inbound_, Offset(0));
    for (;;) {
        auto batch = reader.next();
        if (!batch) return batch.error();
        if (!*batch) break;
        text = std::string((*batch)->records().back().value.value_or(""));
    }
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string kind;
        words >> kind;
        if (kind == "source") {
            Source source;
            words >> source.sequence;
            source.unreleased = read_ids(words);
            if (!words) return bad_state(line);
            sources_[rest_of(words)] = std::move(source);
        } else if (kind == "stream") {
            std::int64_t offset = 0;
            std::string id;
            words >> offset >> id;
            if (!words) return bad_state(line);
            starts.emplace(rest_of(words) + ' ' + id, Offset(offset));
        } else {
            return bad_state(line);
        }
    }
    return starts;
}

Result<void> Qos2State::scan(const storage::Log& log, Offset from, std::map<std::string, std::uint64_t>& newest) {
    storage::LogReader reader(log, from);
    for (;;) {
        auto batch = reader.next();
        if (!batch) return batch.error();
        if (!*batch) return {};
        for (const auto& record : (*batch)->records()) {
            if (const auto header = find_header(record, kAcceptHeader)) apply(*header, newest);
        }
    }
}

void Qos2State::apply(std::string_view accept_header, std::map<std::string, std::uint64_t>& newest) {
    std::istringstream words{std::string(accept_header)};
    std::uint64_t sequence = 0;
    std::uint16_t packet_id = 0;
    if (!(words >> sequence >> packet_id)) return;  // not ours: nothing else writes internal headers
    const auto name = rest_of(words);
    auto& source = sources_[name];
    if (sequence <= source.sequence) return;  // the state record knows what became of it
    source.unreleased.insert(packet_id);
    newest[name] = std::max(newest[name], sequence);
}

bool Qos2State::is_accepted(const std::string& source, std::uint16_t packet_id) const {
    const std::lock_guard lock(mutex_);
    const auto found = sources_.find(source);
    return found != sources_.end() && found->second.unreleased.contains(packet_id);
}

std::vector<std::uint16_t> Qos2State::unreleased(const std::string& source) const {
    const std::lock_guard lock(mutex_);
    const auto found = sources_.find(source);
    if (found == sources_.end()) return {};
    return {found->second.unreleased.begin(), found->second.unreleased.end()};
}

std::size_t Qos2State::unreleased_count(const std::string& source) const {
    const std::lock_guard lock(mutex_);
    const auto found = sources_.find(source);
    return found == sources_.end() ? 0 : found->second.unreleased.size();
}

storage::Header Qos2State::begin_accept(const std::string& source, std::uint16_t packet_id, const storage::Log& log) {
    const std::lock_guard lock(mutex_);
    const auto sequence = sources_[source].sequence + 1;
    const bool alone = pending_.emplace(source, Pending{sequence, packet_id, log.name(), log.high_watermark()}).second;
    SLUICE_ASSERT(alone);
    return {kAcceptHeader, std::to_string(sequence) + ' ' + std::to_string(packet_id) + ' ' + source};
}

void Qos2State::finish_accept(const std::string& source) {
    const std::lock_guard lock(mutex_);
    const auto pending = pending_.find(source);
    SLUICE_ASSERT(pending != pending_.end());
    auto& state = sources_[source];
    state.sequence = pending->second.sequence;
    state.unreleased.insert(pending->second.packet_id);
    pending_.erase(pending);
}

Result<void> Qos2State::release(const std::string& source, std::uint16_t packet_id) {
    {
        const std::lock_guard lock(mutex_);
        if (sources_[source].unreleased.erase(packet_id) == 0) return {};
    }
    return checkpoint();
}

Result<void> Qos2State::release_all(const std::string& source) {
    {
        const std::lock_guard lock(mutex_);
        auto& unreleased = sources_[source].unreleased;
        if (unreleased.empty()) return {};
        unreleased.clear();
    }
    return checkpoint();
}

void Qos2State::note_accepted_bytes(std::uint64_t bytes) {
    {
        const std::lock_guard lock(mutex_);
        bytes_since_checkpoint_ += bytes;
        if (bytes_since_checkpoint_ < kCheckpointBytes) return;
    }
    static_cast<void>(checkpoint());  // a failure ends the agent by way of the log; recovery then reads a little more
}

Result<void> Qos2State::checkpoint() {
    std::future<Result<Offset>> durable;
    {
        const std::lock_guard write_lock(write_mutex_);
        storage::Record record;
        {
            const std::lock_guard lock(mutex_);
            record.value = state_text();
            bytes_since_checkpoint_ = 0;
        }
        record.timestamp = storage::SystemClock().now();
        durable = commit_.append(inbound_, std::move(record));
    }
    auto result = durable.get();
    if (!result) return result.error();
    return {};
}

std::string Qos2State::state_text() const {
    std::ostringstream text;
    for (const auto& [name, source] : sources_) {
        text << "source " << source.sequence << ' ' << to_text(source.unreleased) << ' ' << name << '\n';
    }
    for (const auto* log : logs_.streams()) {
        // An accept that is not finished is not in `unreleased`: recovery has to find its record.
        auto start = log->high_watermark();
        for (const auto& [source, pending] : pending_) {
            if (pending.stream == log->name()) start = std::min(start, pending.not_before);
        }
        text << "stream " << start.value() << ' ' << log->id().to_string() << ' ' << log->name() << '\n';
    }
    return text.str();
}

}  // namespace sluice::bridge::mqtt
