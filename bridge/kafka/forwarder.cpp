#include "bridge/kafka/forwarder.hpp"

#include "bridge/kafka/end_at_start.hpp"
#include "bridge/kafka/forwarder_impl.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <random>
#include <utility>

namespace sluice::bridge::kafka {

namespace {

using namespace std::chrono_literals;

Claim this_process() {
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0) host = {"unknown"};
    return {storage::LogId::random().to_string(), host.data()};
}

/// What the cursor lags behind where nothing is late: with exactly-once it moves a transaction at a time.
std::chrono::milliseconds live_within(const ClusterOptions& options) {
    const auto steps = options.delivery == Delivery::exactly_once ? options.transaction.interval * 2 : 0ms;
    return 2s + steps;
}

}  // namespace

Forwarder::Impl::Impl(ClusterOptions options, Parts parts)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      cluster_(parts_.report, options_.brokers, options_.reminder),
      catalog_trouble_(parts_.report, "kafka"),
      rebuild_backoff_(options_.retry_min, options_.retry_max, std::random_device()()),
      set_asides_(parts_.logs, parts_.commit, parts_.dead_letter_stream, parts_.report, [this] { wake(); }),
      backlog_(live_within(options_)) {
    events_.on_delivery = [this](void* tag, int error) { on_delivery(tag, error); };
    events_.on_trouble = [this](int error, const std::string& message) {
        cluster_.on_event(error, message, SteadyClock::now());
    };
    if (const auto rate = options_.uplink.rate) {
        pacer_.emplace(*rate, options_.uplink.burst.value_or(*rate * 2), SteadyClock::now());
        events_.on_wire_bytes = [this](std::uint64_t total) { on_wire_bytes(total); };
    }
    if (options_.delivery == Delivery::exactly_once) {
        transactions_.emplace(options_, streams_, parts_.report, this_process(),
                              [this] { return forget_ends_at_start(); });
    }
}

storage::Result<void> Forwarder::Impl::add(StreamTarget target) {
    auto* log = parts_.logs.find(target.stream);
    if (log == nullptr) return storage::Error(storage::Errc::not_found, "no stream " + target.stream);
    const auto stored = parts_.catalog.cursor(kForwardReader, target.stream, log->id());
    if (!stored) return stored.error();
    auto cursor = std::max(stored->value_or(storage::Offset(0)), log->log_start_offset());
    if (cursor > log->log_end_offset()) {
        parts_.report(Severity::warning, "stream " + target.stream,
                      "the log ends before what was forwarded (power lost with durability \"flush\", or damage at its "
                      "end)");
        cursor = log->log_end_offset();
        // At once: the offsets up to the old cursor are about to be given to other records.
        auto done = parts_.catalog.store_cursors({{std::string(kForwardReader), target.stream, log->id(), cursor}});
        if (!done) return done;
        log->set_finished(cursor);
    }
    const auto index = static_cast<std::uint32_t>(streams_.size());
    streams_.push_back(std::make_unique<ForwardStream>(std::move(target), *log, cursor, index, options_, parts_.report,
                                                       [this, index, log](storage::Offset offset, std::string why) {
                                                           set_asides_.add(index, *log, offset, std::move(why),
                                                                           SteadyClock::now());
                                                       }));
    if (transactions_) {
        const auto end = note_end_at_start(parts_.catalog, *log);
        if (!end) return end.error();
        streams_.back()->set_end_at_start(*end);
    }
    stored_.push_back(cursor);
    share_.add(streams_.back()->target().weight);
    subscriptions_.push_back(log->subscribe([this] { wake(); }));
    return {};
}

storage::Result<void> Forwarder::Impl::make_producer() {
    if (!transactions_) {
        auto fresh = make_idempotent_producer(options_, parts_.report);
        if (!fresh) return fresh.error();
        const std::lock_guard lock(producer_mutex_);
        producer_ = std::move(*fresh);
        return {};
    }
    auto fresh = make_transactional_producer(options_, parts_.report);
    if (!fresh) return fresh.error();
    const std::lock_guard lock(producer_mutex_);
    transactional_ = fresh->get();
    producer_ = std::move(*fresh);
    return {};
}

void Forwarder::Impl::launch() {
    thread_ = std::thread([this] { run(); });
}

void Forwarder::Impl::store_cursors() {
    next_store_ = SteadyClock::now() + options_.cursor_interval;
    std::vector<storage::Cursor> moved;
    std::vector<std::size_t> which;
    for (std::size_t i = 0; i < streams_.size(); ++i) {
        const auto cursor = streams_[i]->finished();
        if (cursor == stored_[i]) continue;
        moved.push_back({std::string(kForwardReader), streams_[i]->target().stream, streams_[i]->log().id(), cursor});
        which.push_back(i);
    }
    if (moved.empty()) return;
    if (auto done = parts_.catalog.store_cursors(moved); !done) {
        catalog_trouble_.trouble(done.error().message() + " (after a crash, records are sent again)",
                                 SteadyClock::now());
        return;
    }
    catalog_trouble_.over("the cursors can be stored again", SteadyClock::now());
    for (std::size_t i = 0; i < moved.size(); ++i) {
        stored_[which[i]] = moved[i].offset;
        if (parts_.on_cursor) parts_.on_cursor(moved[i].stream, moved[i].offset);
    }
}

void Forwarder::Impl::wake() {
    const std::lock_guard lock(producer_mutex_);
    producer_->wake();
}

void Forwarder::Impl::stop(SteadyClock::time_point deadline) {
    if (!thread_.joinable()) return;
    stop_deadline_ = deadline;
    stopping_ = true;
    wake();
    thread_.join();
    subscriptions_.clear();
}

Forwarder::Forwarder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Forwarder::~Forwarder() {
    stop(std::chrono::steady_clock::now());
}

storage::Result<std::unique_ptr<Forwarder>> Forwarder::start(ClusterOptions options, std::vector<StreamTarget> targets,
                                                             Parts parts) {
    auto impl = std::make_unique<Impl>(std::move(options), std::move(parts));
    if (auto done = impl->open_uplink(); !done) return done.error();
    if (auto done = impl->make_producer(); !done) return done.error();
    for (auto& target : targets) {
        if (auto done = impl->add(std::move(target)); !done) return done.error();
    }
    impl->launch();
    return std::unique_ptr<Forwarder>(new Forwarder(std::move(impl)));
}

void Forwarder::stop(std::chrono::steady_clock::time_point deadline) {
    impl_->stop(deadline);
}

storage::Result<void> Forwarder::pause(const std::string& why) {
    return impl_->pause(why);
}

storage::Result<void> Forwarder::resume() {
    return impl_->resume();
}

ForwarderStatus Forwarder::status() const {
    return impl_->status();
}

}  // namespace sluice::bridge::kafka
