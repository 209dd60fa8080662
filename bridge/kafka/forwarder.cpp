#include "bridge/kafka/forwarder.hpp"

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
      proof_trouble_(parts_.report, "kafka"),
      rebuild_backoff_(options_.retry_min, options_.retry_max, std::random_device()()),
      set_asides_(parts_.logs, parts_.commit, parts_.dead_letter_stream, parts_.report, [this] { wake(); }),
      backlog_(live_within(options_)) {
    events_.on_delivery = [this](void* tag, int error, storage::KafkaPlace place) { on_delivery(tag, error, place); };
    events_.on_trouble = [this](int error, const std::string& message) {
        cluster_.on_event(error, message, SteadyClock::now());
    };
    if (const auto rate = options_.uplink.rate) {
        pacer_.emplace(*rate, options_.uplink.burst.value_or(*rate * 2), SteadyClock::now());
        events_.on_wire_bytes = [this](std::uint64_t total) { on_wire_bytes(total); };
    }
    if (options_.delivery == Delivery::exactly_once) {
        transactions_.emplace(options_, streams_, lanes_, parts_.report, this_process(),
                              [this] { return forget_ends_at_start(); });
        transactions_->before_commit([this] { write_proofs(); });
    }
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

void Forwarder::Impl::renew() {
    renewal_asked_ = true;
    wake();
}

void Forwarder::Impl::launch() {
    thread_ = std::thread([this] { run(); });
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

void Forwarder::renew() {
    impl_->renew();
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
