#include "bridge/mqtt/access_gate.hpp"

#include <pthread.h>

#include <utility>

namespace sluice::bridge::mqtt {

namespace {

constexpr std::size_t kQuestionsMax = 200;

ReasonCode reason_of(Login login) {
    switch (login) {
        case Login::accepted:
        case Login::certified:
        case Login::anonymous:
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

Gatekeeper::Verdict verdict_on(const Access& access, const Credentials& credentials) {
    const auto login = access.authenticate(credentials);
    Gatekeeper::Verdict verdict{reason_of(login)};
    if (login == Login::accepted) verdict.user = credentials.user;
    if (login == Login::certified) verdict.user = credentials.certificate_subject;
    verdict.by_password = login == Login::accepted;
    return verdict;
}

}  // namespace

AccessGate::AccessGate(std::shared_ptr<const Access> access, std::function<void(std::function<void()>)> post)
    : access_(std::move(access)), post_(std::move(post)), thread_([this] { run(); }) {}

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
    if (!access_->takes_time(credentials)) return done(verdict_on(*access_, credentials));
    {
        const std::lock_guard lock(mutex_);
        if (questions_.size() < kQuestionsMax) {
            questions_.push_back({access_, std::move(credentials), std::move(done)});
            done = nullptr;
        }
    }
    if (done) return done({ReasonCode::server_busy});
    asked_.notify_one();
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
        auto verdict = verdict_on(*question.access, question.credentials);
        post_([done = std::move(question.done), verdict = std::move(verdict)] { done(verdict); });
        lock.lock();
    }
}

bool AccessGate::has_user(const std::string& user) const {
    return access_->has_user(user);
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
