#include "bridge/mqtt/ingest.hpp"

#include "bridge/dead_letter.hpp"
#include "storage/assert.hpp"

#include <algorithm>
#include <future>
#include <thread>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

/// Counts a caller that is inside.
class Inside {
 public:
    explicit Inside(std::atomic<int>& count) : count_(count) { ++count_; }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() { --count_; }

 private:
    std::atomic<int>& count_;
};

constexpr std::size_t kUnreleasedExpectedMax = 2000;
// Its dead letter, should it become one, has more headers and has to be a record too.
constexpr std::size_t kMessageBytesMax = storage::kRecordBytesMax - (64U << 10U);
// One message is not to push out what all others have in the log, and then find no room all the same.
constexpr std::uint64_t kQuotaShare = 4;
constexpr std::size_t kShortenedBytes = 64U << 10U;

[[noreturn]] void never_return() {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

storage::Log& must_find(storage::LogDir& logs, const std::string& stream) {
    auto* log = logs.find(stream);
    SLUICE_ASSERT(log != nullptr);
    return *log;
}

/// What is kept of a message that is too large for a log: enough to see what it was and where it came from.
storage::Record shortened(storage::Record record) {
    std::erase_if(record.headers, [](const storage::Header& header) { return !header.key.starts_with("mqtt."); });
    record.headers.push_back({"sluice.original-size", std::to_string(record.value->size())});
    record.value = record.value->substr(0, kShortenedBytes);
    return record;
}

}  // namespace

Ingest::Ingest(TopicMap routes, storage::LogDir& logs, storage::GroupCommit& commit, Qos2State& qos2,
               const std::string& dead_letter_stream, const storage::Clock& clock, Report report)
    : routes_(std::make_shared<const TopicMap>(std::move(routes))),
      logs_(logs),
      commit_(commit),
      qos2_(qos2),
      dead_letters_(must_find(logs, dead_letter_stream)),
      clock_(clock),
      report_(std::move(report)) {}

void Ingest::replace_routes(TopicMap routes) {
    auto fresh = std::make_shared<const TopicMap>(std::move(routes));
    const std::lock_guard lock(routes_mutex_);
    routes_.swap(fresh);
}

std::shared_ptr<const TopicMap> Ingest::routes() const {
    const std::lock_guard lock(routes_mutex_);
    return routes_;
}

Ingest::Prepared Ingest::prepare(Message message) const {
    const auto arrived = clock_.now();
    message.arrived = arrived;
    const auto topic = message.topic;
    const auto map = routes();  // a routed record points into it
    auto routed = map->route(std::move(message));
    const auto bytes = routed.record.size_bytes();
    auto& log = routed.stream != nullptr ? must_find(logs_, *routed.stream) : dead_letters_;
    const auto quota = log.options().counts_to_quota ? logs_.budget().limit_bytes() : storage::DiskBudget::kUnlimited;
    const auto most = std::min<std::uint64_t>(kMessageBytesMax, quota / kQuotaShare);
    if (bytes > most) {
        const auto why = "a message on " + topic + " of " + std::to_string(bytes) + " bytes; at most " +
                         std::to_string(most) + " can be kept";
        auto letter = make_dead_letter(shortened(std::move(routed.record)), kReasonTooLarge, why,
                                       routed.stream != nullptr ? *routed.stream : "");
        const auto end = log.log_end_offset();
        return {&dead_letters_, std::move(letter), arrived,
                storage::Gap{log.name(), end, end, 1, why + ": only its beginning is, as a dead letter"}};
    }
    if (routed.stream != nullptr) return {&log, std::move(routed.record), arrived, {}};
    auto letter = make_dead_letter(std::move(routed.record), kReasonNoRoute, "no route matches " + topic, "");
    return {&log, std::move(letter), arrived, {}};
}

void Ingest::count(const Prepared& prepared) {
    ++received_;
    if (prepared.log == &dead_letters_)
        ++dead_lettered_;
    else if (devices_ != nullptr)
        devices_->observe(prepared.log->name(), prepared.record, prepared.arrived);
    if (prepared.gap) prepared.log->report_gap(*prepared.gap);
}

void Ingest::accept(const std::string& source, Message message, std::optional<std::uint16_t> packet_id) {
    const Inside inside(waiting_);
    const auto content = packet_id ? checksum_of(message) : 0;
    const auto known = packet_id ? qos2_.look_up(source, *packet_id, content) : Qos2State::Known::free;
    if (known == Qos2State::Known::same) {
        ++duplicates_;
        return;
    }
    if (known == Qos2State::Known::other) tell_of_reuse(source, *packet_id);
    const auto began = std::chrono::steady_clock::now();
    const auto topic = message.topic;
    auto prepared = prepare(std::move(message));
    count(prepared);
    std::optional<std::uint64_t> sequence;
    if (packet_id) {
        auto accept = qos2_.begin_accept(source, *packet_id, content, *prepared.log);
        sequence = accept.sequence;
        prepared.record.headers.push_back(std::move(accept.header));
    }
    const auto bytes = prepared.record.size_bytes();
    const auto result = commit_.append(*prepared.log, prepared.record).get();
    if (!result && result.error().kind() != storage::Errc::invalid) never_return();
    latency_.observe(std::chrono::steady_clock::now() - began);
    if (sequence) {
        qos2_.finish_accept(source, *sequence);
        warn_of_flood(source);
    }
    qos2_.note_accepted_bytes(bytes);
    finish(source, topic, result);
}

void Ingest::finish(const std::string& source, const std::string& topic,
                    const storage::Result<storage::Offset>& result) {
    if (result) {
        ++accepted_;
        return;
    }
    // No log can take it, so no waiting helps, and to refuse the acknowledgement would stop the source for ever.
    ++refused_;
    report_(Severity::error, "mqtt " + source, "message on " + topic + " is lost: " + result.error().message());
}

Acceptor::Taken Ingest::try_accept(const std::string& source, const Message& message,
                                   std::optional<std::uint16_t> packet_id, storage::Completion done) {
    const auto content = packet_id ? checksum_of(message) : 0;
    const auto known = packet_id ? qos2_.join_accept(source, *packet_id, content, done) : Qos2State::Known::free;
    if (known == Qos2State::Known::same) {
        ++duplicates_;
        return Taken::duplicate;
    }
    auto prepared = prepare(message);
    if (!commit_.has_room(*prepared.log)) return Taken::full;
    if (known == Qos2State::Known::other) tell_of_reuse(source, *packet_id);
    count(prepared);
    qos2_.note_accepted_bytes(prepared.record.size_bytes());
    if (packet_id) {
        auto accept = qos2_.begin_accept(source, *packet_id, content, *prepared.log);
        prepared.record.headers.push_back(std::move(accept.header));
        done = [this, source, sequence = accept.sequence, done = std::move(done)](const auto& result) {
            // A message that no log can take is as good as accepted: it must not come again.
            if (result || result.error().kind() == storage::Errc::invalid) qos2_.finish_accept(source, sequence);
            done(result);
        };
    }
    commit_.append_without_wait(*prepared.log, prepared.record, std::move(done));
    return known == Qos2State::Known::other ? Taken::replacing : Taken::fresh;
}

bool Ingest::release(const std::string& source, std::uint16_t packet_id, storage::Completion done) {
    return qos2_.release(source, packet_id, std::move(done));
}

void Ingest::release_all(const std::string& source, storage::Completion done) {
    qos2_.release_all(source, std::move(done));
}

/// Once for each sender: it may do so with each message.
void Ingest::tell_of_reuse(const std::string& source, std::uint16_t packet_id) {
    const std::lock_guard lock(told_mutex_);
    if (!reusing_.insert(source).second) return;
    report_(Severity::warning, "mqtt " + source,
            "packet identifier " + std::to_string(packet_id) +
                " comes with another message before the first was released: the sender has lost its state (QoS 2); "
                "both are kept");
}

/// Paho searches a list for each QoS 2 packet, and so do brokers: harmless for a window of 100, slow for tens of
/// thousands. A broker that keeps to receive_maximum never comes here.
void Ingest::warn_of_flood(const std::string& source) {
    const auto count = qos2_.unreleased_count(source);
    if (count < kUnreleasedExpectedMax) return;
    const std::lock_guard lock(told_mutex_);
    if (!flooded_.insert(source).second) return;
    report_(Severity::warning, "mqtt " + source,
            "the broker has more than " + std::to_string(kUnreleasedExpectedMax) +
                " messages of QoS 2 on the way to us at a time, which is slow (mosquitto before 2.0.12 doesn't keep to "
                "a limit after an outage: receive_maximum = 1 helps, or qos = 1)");
}

void Ingest::release(const std::string& source, std::uint16_t packet_id) {
    const Inside inside(waiting_);
    std::promise<bool> durable;
    qos2_.release(source, packet_id, [&](const auto& result) { durable.set_value(result.has_value()); });
    if (!durable.get_future().get()) never_return();
}

void Ingest::release_all(const std::string& source) {
    const Inside inside(waiting_);
    if (qos2_.unreleased_count(source) == 0) return;
    std::promise<bool> durable;
    qos2_.release_all(source, [&](const auto& result) { durable.set_value(result.has_value()); });
    if (!durable.get_future().get()) never_return();
}

bool Ingest::is_accepted(const std::string& source, std::uint16_t packet_id) const {
    return qos2_.is_accepted(source, packet_id);
}

std::vector<std::uint16_t> Ingest::unreleased(const std::string& source) const {
    return qos2_.unreleased(source);
}

Ingest::Counters Ingest::counters() const {
    return {received_, accepted_, duplicates_, dead_lettered_, refused_};
}

}  // namespace sluice::bridge::mqtt
