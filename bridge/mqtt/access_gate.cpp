#include "bridge/mqtt/access_gate.hpp"

#include <pthread.h>

#include <utility>

namespace sluice::bridge::mqtt {

namespace {

constexpr std::size_t kQuestionsMax = 200;

ReasonCode reason_of(Login login) {
    switch (login) {
        case Login::accepted:
            return ReasonCode::success;
        case Login::anonymous_refused:
            return ReasonCode::not_authorized;
        case Login::no_password:
        case Login::no_user:
        case Login::unknown_or_wrong:
            break;
    }
    return ReasonCode::bad_user_name_or_password;
}

}  // namespace

AccessGate::AccessGate(std::shared_ptr<const Access> access, std::optional<bool> anonymous,
                       std::function<void(std::function<void()>)> post)
    : access_(std::move(access)), anonymous_(anonymous), post_(std::move(post)), thread_([this] { run(); }) {}

AccessGate::~AccessGate() {
    stop();
}

void AccessGate::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    asked_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void AccessGate::authenticate(Credentials credentials, std::function<void(Verdict)> done) {
    // Where there is no password file, nobody can prove a name, and it counts for nothing.
    if (!access_->has_users() || (!credentials.user && !credentials.password)) {
        const bool open = anonymous_.value_or(credentials.loopback);
        return done({open ? ReasonCode::success : ReasonCode::not_authorized, std::nullopt});
    }
    {
        const std::lock_guard lock(mutex_);
        if (questions_.size() < kQuestionsMax) {
            questions_.push_back({std::move(credentials), std::move(done)});
            done = nullptr;
        }
    }
    if (done) return done({ReasonCode::server_busy, std::nullopt});
    asked_.notify_one();
}

AccessGate::Verdict AccessGate::verdict_on(const Credentials& credentials) const {
    const auto reason = reason_of(access_->authenticate(credentials.user, credentials.password));
    return {reason, reason == ReasonCode::success ? credentials.user : std::nullopt};
}

void AccessGate::run() {
    ::pthread_setname_np(::pthread_self(), "passwords");
    std::unique_lock lock(mutex_);
    for (;;) {
        asked_.wait(lock, [this] { return stopping_ || !questions_.empty(); });
        if (stopping_) return;
        auto question = std::move(questions_.front());
        questions_.pop_front();
        lock.unlock();
        post_([done = std::move(question.done), verdict = verdict_on(question.credentials)] { done(verdict); });
        lock.lock();
    }
}

bool AccessGate::may_publish(const Identity& identity, std::string_view topic) const {
    return access_->may_publish(identity, topic);
}

bool AccessGate::may_subscribe(const Identity& identity, std::string_view filter) const {
    return access_->may_subscribe(identity, filter);
}

bool AccessGate::may_read(const Identity& identity, std::string_view topic) const {
    return access_->may_read(identity, topic);
}

}  // namespace sluice::bridge::mqtt
