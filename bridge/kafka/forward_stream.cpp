#include "bridge/kafka/forward_stream.hpp"

#include "bridge/kafka/error_class.hpp"

#include <algorithm>
#include <random>
#include <utility>

namespace sluice::bridge::kafka {

namespace {

// What librdkafka's bookkeeping takes, measured as growth of the process with 200-byte records and three headers.
constexpr std::size_t kRecordOverheadBytes = 300;
constexpr std::size_t kHeaderOverheadBytes = 50;

constexpr int kBatchesAtATime = 64;
constexpr std::chrono::seconds kDoubtPatience{10};

std::uint32_t payload_bytes_of(const storage::RecordView& record) {
    std::size_t bytes = (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
    for (const auto& header : record.headers) bytes += header.key.size() + (header.value ? header.value->size() : 0);
    return static_cast<std::uint32_t>(bytes);
}

std::uint32_t in_flight_bytes_of(const storage::RecordView& record) {
    return payload_bytes_of(record) +
           static_cast<std::uint32_t>(kRecordOverheadBytes + (kHeaderOverheadBytes * record.headers.size()));
}

/// How old a record is. It may claim any time.
std::chrono::milliseconds age_of(storage::Timestamp timestamp) {
    constexpr std::int64_t kMostMs = std::chrono::milliseconds(std::chrono::hours(24 * 365)).count();
    const auto now = std::chrono::time_point_cast<storage::Timestamp::duration>(std::chrono::system_clock::now());
    return std::chrono::milliseconds(
        std::clamp<std::int64_t>(storage::timestamp_difference(now, timestamp), 0, kMostMs));
}

}  // namespace

ForwardStream::ForwardStream(StreamTarget target, const storage::Log& log, storage::Offset cursor, std::uint32_t index,
                             const ClusterOptions& options, const Report& report, SetAside set_aside)
    : target_(std::move(target)),
      log_(log),
      options_(options),
      report_(report),
      set_aside_(std::move(set_aside)),
      transactional_(options.delivery == Delivery::exactly_once),
      window_(cursor, index, transactional_),
      committed_(cursor),
      reader_(log, cursor),
      backoff_(options.retry_min, options.retry_max, std::random_device()()),
      trouble_(report, "stream " + target_.stream),
      cursor_(cursor.value()) {
    window_.on_finished([this](const auto& entry) {
        if (proofs_ != nullptr) proofs_->add(proofs_number_, entry.offset, entry.place);
        if (origin_ && entry.place.offset >= 0) last_finished_[entry.place.partition] = entry.place.offset;
    });
    if (!options.origin_headers) return;
    origin_.emplace(target_.stream, log.id());
    doubt();  // an earlier process may have died
}

void ForwardStream::prove_in(storage::DeliveryLedger& proofs, std::size_t stream) {
    proofs_ = &proofs;
    proofs_number_ = stream;
    proofs.finish(stream, finished());
    if (in_doubt_) last_finished_ = proofs.last_places(stream, finished());
}

void ForwardStream::settle_doubt(const std::atomic<bool>& stopping) {
    if (!in_doubt_ || retry_at_ || window_.in_flight() > 0) return;
    if (lane_.name == Lane::Name::idle) {
        in_doubt_ = false;  // it has sent nothing that the other lane doesn't ask for
        return;
    }
    const Doubt doubt{target_.stream, target_.topic, log_.id(), window_.cursor(), last_finished_};
    if (log_.high_watermark() <= doubt.from) {
        in_doubt_ = false;  // nothing was sent that isn't finished
        return;
    }
    auto resolved = resolve(options_, doubt, kDoubtPatience, stopping);
    if (stopping) return;
    if (!resolved) {
        report_(Severity::debug, "stream " + target_.stream, resolved.error().message());
        retry_at_ = std::chrono::steady_clock::now() + options_.retry_min;
        return;
    }
    in_doubt_ = false;
    there_ = std::move(resolved->there);
    const auto count = std::to_string(there_.size());
    if (!resolved->complete) {
        report_(Severity::warning, "stream " + target_.stream,
                "what had arrived of the records in doubt was not found out in time: " + count +
                    " had, others may arrive twice");
    } else if (!there_.empty()) {
        report_(Severity::info, "stream " + target_.stream, count + " records in doubt had arrived already");
    }
}

/// The record counts as delivered, where it was found.
bool ForwardStream::is_there_already(const storage::RecordView& record) {
    const auto found = there_.find(record.offset);
    if (found == there_.end()) return false;
    const auto in_kafka = found->second;
    there_.erase(found);
    if (!is_same(in_kafka.fingerprint, record)) return false;
    auto& entry = window_.begin(record.offset, in_flight_bytes_of(record));
    entry.place = in_kafka.place;
    static_cast<void>(window_.delivered(entry, ErrorClass::none));
    return true;
}

Sent ForwardStream::hand_over(Producer& producer, const storage::RecordView& record, StreamWindow::Entry& entry) {
    if (!origin_) return producer.send(target_.topic, record, &entry);
    std::vector<storage::HeaderView> headers(record.headers.begin(), record.headers.end());
    headers.push_back({kOriginHeader, origin_->of(record.offset)});
    auto with_origin = record;
    with_origin.headers = headers;
    return producer.send(target_.topic, with_origin, &entry);
}

std::optional<TopicState> ForwardStream::check(Producer& producer, TimePoint now, const std::atomic<bool>& stopping) {
    if (lane_.name == Lane::Name::idle) return std::nullopt;
    if (!retry_at_ || now < *retry_at_ || window_.in_flight() > 0) return std::nullopt;
    // A stream that has nothing to send makes no topic; one that it can't make is asked for at the start.
    const bool idle = !checked_ && log_.high_watermark() <= window_.cursor();
    if (idle && options_.topics == TopicPolicy::create) return std::nullopt;
    const auto checked = ensure_topic(producer, options_, target_.topic, stopping);
    now = std::chrono::steady_clock::now();
    switch (checked.state) {
        case TopicState::ready:
            checked_ = true;
            retry_at_.reset();  // it may send; the report and the backoff end with the first record that arrives
            if (trouble_.in_trouble()) window_.probe();
            break;
        case TopicState::missing:
            hold(checked.trouble, now);
            break;
        case TopicState::unreachable:
            retry_at_ = now + options_.retry_min;
            break;  // not the topic's fault
    }
    return checked.state;
}

void ForwardStream::hold(const std::string& why, TimePoint now) {
    trouble_.trouble("held: " + why, now);
    retry_at_ = now + backoff_.next();
    const std::lock_guard lock(held_mutex_);
    held_ = why;
}

void ForwardStream::release(TimePoint now) {
    trouble_.over("forwarding again", now);
    backoff_.reset();
    const std::lock_guard lock(held_mutex_);
    held_.reset();
}

const OffsetRange* ForwardStream::left_out(storage::Offset offset) const {
    const auto found = std::find_if(lane_.leave_out.begin(), lane_.leave_out.end(),
                                    [&](const auto& range) { return range.first <= offset && offset < range.next; });
    return found == lane_.leave_out.end() ? nullptr : &*found;
}

storage::Offset ForwardStream::end() const {
    return lane_.end ? std::min(*lane_.end, log_.high_watermark()) : log_.high_watermark();
}

bool ForwardStream::may_send(storage::Offset offset) const {
    return (!lane_.end || offset < *lane_.end) && left_out(offset) == nullptr;
}

bool ForwardStream::read_batch(TimePoint now) {
    storage::DecodedBatch spent;
    if (batch_) spent = std::move(*batch_);
    batch_.reset();
    auto batch = reader_.next(std::move(spent));
    if (!batch) {
        hold("the local log can't be read: " + batch.error().message(), now);
        return false;
    }
    batch_ = std::move(*batch);
    next_record_ = 0;
    if (!batch_ && window_.in_flight() == 0) window_.skip_to(std::min(reader_.position(), end()));
    return batch_.has_value();
}

/// The next record that this lane sends.
bool ForwardStream::have_record(TimePoint now) {
    while ((batch_ && next_record_ < batch_->records().size()) || read_batch(now)) {
        if (batch_->records().empty()) continue;
        const auto offset = batch_->records()[next_record_].offset;
        if (may_send(offset)) return true;
        if (const auto* range = left_out(offset)) {
            window_.skip_to(range->next);
            reader_.seek(range->next);
            batch_.reset();
            continue;
        }
        if (window_.in_flight() == 0) window_.skip_to(*lane_.end);
        return false;
    }
    return false;
}

/// With the lane's name. Valid until the next call.
storage::RecordView ForwardStream::labelled(const storage::RecordView& record) {
    if (lane_.name == Lane::Name::plain) return record;
    headers_.assign(record.headers.begin(), record.headers.end());
    headers_.push_back({kLaneHeader, lane_.name == Lane::Name::live ? "live" : "backlog"});
    auto with_lane = record;
    with_lane.headers = headers_;
    return with_lane;
}

bool ForwardStream::send_some(Producer& producer, std::size_t room, bool nothing_in_flight, TimePoint now) {
    if (retry_at_ || in_doubt_ || lane_.name == Lane::Name::idle) return false;
    if (window_.failed()) {
        if (transactional_ || window_.in_flight() > 0) return false;  // a transaction is aborted as a whole
        reader_.seek(window_.rewind());
        batch_.reset();
    }
    const auto before = window_.in_flight_bytes();
    std::size_t handled = 0;
    for (int batches = 0; batches < kBatchesAtATime && have_record(now); ++batches) {
        const auto used = window_.in_flight_bytes() - before;
        handled += send_batch(producer, room - std::min(used, room), nothing_in_flight && used == 0, now);
        if (next_record_ < batch_->records().size() && may_send(batch_->records()[next_record_].offset)) break;
    }
    cursor_ = finished().value();
    return handled > 0;
}

std::size_t ForwardStream::send_batch(Producer& producer, std::size_t room, bool nothing_in_flight, TimePoint now) {
    const auto first = next_record_;
    std::size_t used = 0;
    for (; next_record_ < batch_->records().size(); ++next_record_) {
        const auto& record = batch_->records()[next_record_];
        const auto bytes = in_flight_bytes_of(record);
        const bool fits = used + bytes <= room || (nothing_in_flight && used == 0);
        if (!window_.may_send() || !fits || !may_send(record.offset)) break;
        const auto step = send_one(producer, record, now);
        if (step == Step::stop) break;
        if (step == Step::sent) used += bytes;
    }
    return next_record_ - first;
}

ForwardStream::Step ForwardStream::send_one(Producer& producer, const storage::RecordView& record, TimePoint now) {
    if (window_.next(record.offset) == StreamWindow::Next::skip) return Step::skipped;
    if (put_aside_.contains(record.offset)) {  // before a transaction was aborted
        window_.skip_to(record.offset + 1);
        return Step::skipped;
    }
    if (!there_.empty() && is_there_already(record)) return Step::skipped;
    if (window_.in_flight() == 0) last_answer_ = now;
    auto& entry = window_.begin(record.offset, in_flight_bytes_of(record));
    entry.timestamp = record.timestamp;
    entry.payload_bytes = payload_bytes_of(record);
    switch (hand_over(producer, labelled(record), entry)) {
        case Sent::queued:
            return Step::sent;
        case Sent::too_large:
            window_.set_aside(entry);
            if (transactional_) window_.finish_set_aside(record.offset);  // commits wait for put_aside_
            put_aside(record.offset, "larger than librdkafka's message.max.bytes (raise it in [kafka.properties])");
            return Step::skipped;
        case Sent::full:
        case Sent::spent:
            window_.undo(entry);
            return Step::stop;
        case Sent::refused:
            window_.undo(entry);
            hold(explain(producer.last_error(), target_.topic), now);
            return Step::stop;
    }
    return Step::stop;
}

void ForwardStream::put_aside(storage::Offset offset, std::string why) {
    ++dead_lettered_;
    if (transactional_) put_aside_.emplace(offset, false);
    set_aside_(offset, std::move(why));
}

void ForwardStream::delivered(StreamWindow::Entry& entry, int error_code, storage::KafkaPlace place, TimePoint now) {
    const auto result = classify(error_code);
    if (result == ErrorClass::none) entry.place = place;
    const auto offset = entry.offset;
    const auto bytes = entry.payload_bytes;
    const auto timestamp = entry.timestamp;
    last_answer_ = now;
    const bool refused_alone = window_.delivered(entry, result);
    cursor_ = finished().value();
    if (result == ErrorClass::none) {
        count_forwarded(1, bytes);
        delay_.observe(age_of(timestamp));
        if (trouble_.in_trouble()) release(now);
    } else if (refused_alone) {
        put_aside(offset, explain(error_code, target_.topic));
    } else if (result == ErrorClass::topic && !retry_at_) {
        hold(explain(error_code, target_.topic), now);
    }
}

std::optional<ForwardStream::TimePoint> ForwardStream::waiting_since() const {
    return window_.in_flight() > 0 ? std::optional(last_answer_) : std::nullopt;
}

void ForwardStream::finish_set_aside(storage::Offset offset) {
    if (transactional_) {
        put_aside_.at(offset) = true;
        return;
    }
    window_.finish_set_aside(offset);
    cursor_ = finished().value();
}

void ForwardStream::count_forwarded(std::uint64_t records, std::uint64_t bytes) {
    if (transactional_) {  // it counts when it is committed
        records_in_transaction_ += records;
        bytes_in_transaction_ += bytes;
    } else {
        forwarded_ += records;
        forwarded_bytes_ += bytes;
    }
}

bool ForwardStream::waits_for_dead_letters() const {
    return std::any_of(put_aside_.begin(), put_aside_.lower_bound(position()),
                       [](const auto& aside) { return !aside.second; });
}

bool ForwardStream::has_more() const {
    return !retry_at_ && lane_.name != Lane::Name::idle && window_.sent_to() < end();
}

void ForwardStream::committed() {
    if (position() != committed_) window_.committed();
    committed_ = position();
    if (proofs_ != nullptr) proofs_->finish(proofs_number_, committed_);
    put_aside_.erase(put_aside_.begin(), put_aside_.lower_bound(committed_));
    forwarded_ += std::exchange(records_in_transaction_, 0);
    forwarded_bytes_ += std::exchange(bytes_in_transaction_, 0);
    cursor_ = committed_.value();
}

void ForwardStream::restart_at(storage::Offset offset) {
    committed_ = offset;
    if (proofs_ != nullptr) {
        proofs_->take_back(proofs_number_, offset);
        proofs_->finish(proofs_number_, offset);
    }
    records_in_transaction_ = bytes_in_transaction_ = 0;
    window_.restart_at(offset);
    reader_.seek(offset);
    batch_.reset();
    cursor_ = offset.value();
}

StreamStatus ForwardStream::status() const {
    StreamStatus status;
    status.stream = target_.stream;
    status.cursor = storage::Offset(cursor_.load());
    status.backlog = static_cast<std::uint64_t>(std::max<std::int64_t>(0, log_.high_watermark() - status.cursor));
    status.forwarded = forwarded_;
    status.forwarded_bytes = forwarded_bytes_;
    status.dead_lettered = dead_lettered_;
    status.delay = delay_.read();
    const std::lock_guard lock(held_mutex_);
    status.held = held_;
    return status;
}

}  // namespace sluice::bridge::kafka
