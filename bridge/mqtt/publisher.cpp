#include "bridge/mqtt/publisher.hpp"

#include <mqtt/async_client.h>

#include <condition_variable>
#include <mutex>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

constexpr int kQos = 1;
constexpr int kInflightMax = 1000;
constexpr std::chrono::seconds kConnectTimeout{10};

}  // namespace

struct Publisher::Impl final : public ::mqtt::iaction_listener {
    Impl(const std::string& url, const std::string& client_id) : client(url, client_id) {}

    void on_success(const ::mqtt::token& /*token*/) override {
        const std::lock_guard lock(mutex);
        ++acknowledged;
        changed.notify_all();
    }
    void on_failure(const ::mqtt::token& /*token*/) override {}

    mutable std::mutex mutex;
    std::condition_variable changed;
    std::uint64_t sent = 0;
    std::uint64_t acknowledged = 0;
    ::mqtt::token_ptr connecting;
    ::mqtt::async_client client;  // last: it is destroyed, and calls back no more, before the rest
};

Publisher::Publisher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Publisher::~Publisher() {
    try {
        if (impl_->client.is_connected()) impl_->client.disconnect()->wait_for(std::chrono::seconds(2));
    } catch (const ::mqtt::exception&) {
        // It is gone one way or the other.
    }
}

storage::Result<std::unique_ptr<Publisher>> Publisher::connect(const std::string& url, const std::string& client_id) {
    try {
        auto impl = std::make_unique<Impl>(url, client_id);
        const auto options =
            ::mqtt::connect_options_builder().clean_session(true).max_inflight(kInflightMax).finalize();
        impl->connecting = impl->client.connect(options);
        return std::unique_ptr<Publisher>(new Publisher(std::move(impl)));
    } catch (const ::mqtt::exception& error) {
        return storage::Error(storage::Errc::rejected, url + ": " + error.what());
    }
}

storage::Result<void> Publisher::wait_connected() {
    try {
        if (impl_->connecting->wait_for(kConnectTimeout)) return {};
        return storage::Error(storage::Errc::rejected, "no answer to CONNECT");
    } catch (const ::mqtt::exception& error) {
        return storage::Error(storage::Errc::rejected, error.what());
    }
}

storage::Result<void> Publisher::publish(const std::string& topic, const std::string& payload) {
    try {
        impl_->client.publish(topic, payload.data(), payload.size(), kQos, false, nullptr, *impl_);
        const std::lock_guard lock(impl_->mutex);
        ++impl_->sent;
        return {};
    } catch (const ::mqtt::exception& error) {
        return storage::Error(storage::Errc::rejected, error.what());
    }
}

std::uint64_t Publisher::acknowledged() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->acknowledged;
}

bool Publisher::wait_for_acknowledgements(std::chrono::milliseconds timeout) {
    std::unique_lock lock(impl_->mutex);
    return impl_->changed.wait_for(lock, timeout, [this] { return impl_->acknowledged >= impl_->sent; });
}

}  // namespace sluice::bridge::mqtt
