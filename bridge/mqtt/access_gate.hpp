// access_gate.hpp: the gatekeeper that passwords and ACL decide for, beside the server's thread.
//
// Hashing a password takes tens of milliseconds and much memory on purpose, so that it happens on a thread of its own,
// one at a time; who finds the queue full is told that the server is busy, and comes again.
#pragma once

#include "bridge/mqtt/access.hpp"
#include "bridge/mqtt/gatekeeper.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>

namespace sluice::bridge::mqtt {

class AccessGate final : public Gatekeeper {
 public:
    /// @param post  runs a task on the server's thread; called from the gate's own
    AccessGate(std::shared_ptr<const Access> access, std::function<void(std::function<void()>)> post);
    ~AccessGate() override;
    AccessGate(const AccessGate&) = delete;
    AccessGate& operator=(const AccessGate&) = delete;

    /// For all that is asked from now on. On the server's thread.
    void replace(std::shared_ptr<const Access> access) { access_ = std::move(access); }
    /// Ends the thread; nothing is posted after it.
    void stop();

    void authenticate(Credentials credentials, std::function<void(Verdict)> done) override;
    [[nodiscard]] bool has_user(const std::string& user) const override;
    [[nodiscard]] bool may_publish(const Identity& identity, std::string_view topic) const override;
    [[nodiscard]] bool may_subscribe(const Identity& identity, std::string_view filter) const override;
    [[nodiscard]] bool may_read(const Identity& identity, std::string_view topic) const override;

 private:
    struct Question {
        std::shared_ptr<const Access> access;
        Credentials credentials;
        std::function<void(Verdict)> done;
    };
    void run();

    std::shared_ptr<const Access> access_;  // of the server's thread
    const std::function<void(std::function<void()>)> post_;
    std::mutex mutex_;
    std::condition_variable asked_;
    std::deque<Question> questions_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace sluice::bridge::mqtt
