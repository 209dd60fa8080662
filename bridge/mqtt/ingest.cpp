#include "bridge/mqtt/ingest.hpp"

#include "bridge/dead_letter.hpp"
#include "storage/assert.hpp"

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

[[noreturn]] void never_return() {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

storage::Log& must_find(storage::LogDir& logs, const std::string& stream) {
    auto* log = logs.find(stream);
    SLUICE_ASSERT(log != nullptr);
    return *log;
}

}  // namespace

Ingest::Ingest(TopicMap routes, storage::LogDir& logs, storage::GroupCommit& commit, Qos2State& qos2,
               const std::string& dead_letter_stream, const storage::Clock& clock, Report report)
    : routes_(std::move(routes)),
      logs_(logs),
      commit_(commit),
      qos2_(qos2),
      dead_letters_(must_find(logs, dead_letter_stream)),
      clock_(clock),
      report_(std::move(report)) {}

void Ingest::accept(const std::string& source, Message message, std::optional<std::uint16_t> packet_id) {
    const Inside inside(waiting_);
    if (packet_id && qos2_.is_accepted(source, *packet_id)) {
        ++duplicates_;
        return;
    }
    ++received_;
    message.arrived = clock_.now();
    const auto topic = message.topic;
    auto routed = routes_.route(std::move(message));
    auto* log = &dead_letters_;
    if (routed.stream != nullptr) {
        log = &must_find(logs_, *routed.stream);
    } else {
        routed.record = make_dead_letter(std::move(routed.record), kReasonNoRoute, "no route matches " + topic, "");
        ++dead_lettered_;
    }
    const auto bytes = routed.record.size_bytes();
    const auto result = append(*log, std::move(routed.record), source, packet_id);
    if (result) {
        ++accepted_;
        qos2_.note_accepted_bytes(bytes);
        return;
    }
    if (result.error().kind() != storage::Errc::invalid) never_return();
    // No log can take it, so no waiting helps, and to refuse the acknowledgement would stop the source for ever.
    ++refused_;
    report_(Severity::error, "mqtt " + source, "message on " + topic + " is lost: " + result.error().message());
}

storage::Result<storage::Offset> Ingest::append(storage::Log& log, storage::Record record, const std::string& source,
                                                std::optional<std::uint16_t> packet_id) {
    if (!packet_id) return commit_.append(log, std::move(record)).get();
    record.headers.push_back(qos2_.begin_accept(source, *packet_id, log));
    auto result = commit_.append(log, std::move(record)).get();
    // A message that no log can take is as good as accepted: it must not come again.
    if (result || result.error().kind() == storage::Errc::invalid) qos2_.finish_accept(source);
    warn_of_flood(source);
    return result;
}

/// Paho searches a list for each QoS 2 packet, and so do brokers: harmless for a window of 100, slow for tens of
/// thousands. A broker that keeps to receive_maximum never comes here.
void Ingest::warn_of_flood(const std::string& source) {
    const auto count = qos2_.unreleased_count(source);
    if (count < kUnreleasedExpectedMax) return;
    const std::lock_guard lock(flooded_mutex_);
    if (!flooded_.insert(source).second) return;
    report_(Severity::warning, "mqtt " + source,
            "the broker has more than " + std::to_string(kUnreleasedExpectedMax) +
                " messages of QoS 2 on the way to us at a time, which is slow (mosquitto before 2.0.12 doesn't keep to "
                "a limit after an outage: receive_maximum = 1 helps, or qos = 1)");
}

void Ingest::release(const std::string& source, std::uint16_t packet_id) {
    const Inside inside(waiting_);
    if (auto done = qos2_.release(source, packet_id); !done) never_return();
}

void Ingest::release_all(const std::string& source) {
    const Inside inside(waiting_);
    if (auto done = qos2_.release_all(source); !done) never_return();
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
