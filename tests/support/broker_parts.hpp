// broker_parts.hpp: what a server stands on, in the hands of a test: a log that keeps when it is told, a gate that is
// open.
#pragma once

#include "bridge/mqtt/acceptor.hpp"
#include "bridge/mqtt/gatekeeper.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::test {

/// Keeps messages when a test says so.
class SlowLog final : public bridge::mqtt::Acceptor {
 public:
    Taken try_accept(const std::string& /*source*/, const bridge::Message& message,
                     std::optional<std::uint16_t> /*packet_id*/, storage::Completion done) override {
        if (full) return Taken::full;
        taken.push_back(message.payload);
        waiting.push_back(std::move(done));
        return Taken::fresh;
    }
    bool release(const std::string& /*source*/, std::uint16_t /*packet_id*/, storage::Completion done) override {
        done(storage::Offset(0));
        return true;
    }
    void release_all(const std::string& /*source*/, storage::Completion done) override {
        if (!slow_release) return done(storage::Offset(0));
        waiting.push_back(std::move(done));
    }

    void keep(std::size_t number) { std::exchange(waiting[number], {})(storage::Offset(0)); }
    void fail(std::size_t number) {
        std::exchange(waiting[number], {})(storage::Error(storage::Errc::sync_failed, "the disk"));
    }
    /// Each append is answered once, at the latest when the log is closed.
    void close() {
        for (std::size_t i = 0; i < waiting.size(); ++i) {
            if (waiting[i]) fail(i);
        }
    }

    bool full = false;
    bool slow_release = false;  // of all of a sender's identifiers
    std::vector<std::string> taken;
    std::vector<storage::Completion> waiting;
};

class OpenGate final : public bridge::mqtt::Gatekeeper {
 public:
    void authenticate(bridge::mqtt::Credentials /*credentials*/, std::function<void(Verdict)> done) override {
        done({});
    }
    [[nodiscard]] bool has_user(const std::string& /*user*/) const override { return true; }
    [[nodiscard]] bool may_publish(const bridge::mqtt::Identity& /*who*/, std::string_view /*topic*/) const override {
        return true;
    }
    [[nodiscard]] bool may_subscribe(const bridge::mqtt::Identity& /*who*/,
                                     std::string_view /*filter*/) const override {
        return true;
    }
    [[nodiscard]] bool may_read(const bridge::mqtt::Identity& /*who*/, std::string_view /*topic*/) const override {
        return true;
    }
};

}  // namespace sluice::test
