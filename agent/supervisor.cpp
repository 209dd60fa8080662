#include "agent/supervisor.hpp"

#include "agent/open_logs.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <utility>
#include <variant>

namespace sluice::agent {

namespace {

using SteadyClock = std::chrono::steady_clock;
using storage::Result;

constexpr auto kCheckpointInterval = std::chrono::seconds(10);
// On a full disk that is forwarded from, there is room for a moment again and again.
constexpr auto kFullInterval = std::chrono::minutes(1);

const std::string kAlertTopic = "sluice/alerts/";
constexpr std::chrono::seconds kResolvedStays = std::chrono::hours(24);  // as a retained message

/// What was said of a stream that finds no space.
struct FullSaid {
    SteadyClock::time_point at{};
    bool open = false;  // its end is to be said
};

}  // namespace

Supervisor::Supervisor(const Config& config, bridge::Report report)
    : config_(config), report_(std::move(report)), events_(config.id, clock_, report_) {}

Supervisor::~Supervisor() {
    if (!sources_.empty() || listener_ || rules_ || forwarder_ || commit_) static_cast<void>(stop());
}

Result<std::unique_ptr<Supervisor>> Supervisor::start(const Config& config, bridge::Report report) {
    std::unique_ptr<Supervisor> agent(new Supervisor(config, std::move(report)));
    if (auto done = agent->open_logs(); !done) return done.error();
    if (auto done = agent->start_parts(); !done) return done.error();
    return agent;
}

Result<void> Supervisor::open_logs() {
    auto open = agent::open_logs(config_, files_, clock_, [this](const storage::Gap& gap) { events_.gap(gap); });
    if (!open) return open.error();
    const auto unused = unused_streams(config_, files_);
    if (!unused) return unused.error();
    for (const auto& each : *unused) report_(bridge::Severity::warning, "log", to_string(each));
    logs_ = std::move(open->logs);
    catalog_ = std::move(open->catalog);
    flash_.emplace(config_.data_dir, config_.flash_endurance_bytes, *catalog_, clock_, report_);
    return {};
}

storage::GroupCommit::Observer Supervisor::commit_observer() {
    storage::GroupCommit::Observer observer;
    auto said = std::make_shared<std::map<const storage::Log*, FullSaid>>();  // of the log thread
    observer.on_no_space = [this, said](const storage::Log& log, const storage::Error& error, bool again) {
        if (cleaner_) cleaner_->make_room(log);
        if (again || log.options().on_full != storage::OnFull::block) return;
        auto& full = (*said)[&log];
        const auto now = SteadyClock::now();
        if (full.at != SteadyClock::time_point() && now - full.at < kFullInterval) return;
        full = {now, true};
        report_(bridge::Severity::error, "stream " + log.name(),
                error.message() + " (nothing is acknowledged to devices until there is space)");
    };
    observer.on_space_again = [this, said](const storage::Log& log) {
        if (!std::exchange((*said)[&log].open, false)) return;
        report_(bridge::Severity::info, "stream " + log.name(), "there is space again");
    };
    observer.on_sync_failed = [this](const storage::Error& error) {
        report_(bridge::Severity::error, "log",
                error.message() + " (the agent ends; its log recovers at the next start)");
        failed_ = true;
    };
    return observer;
}

storage::Cleaner::Observer Supervisor::cleaner_observer() {
    storage::Cleaner::Observer observer;
    observer.roll = [this](storage::Log& log) {
        commit_->post([this, &log, &commit = *commit_] {
            auto done = log.commit();
            if (done) done = log.roll();
            if (done) return commit.retry();
            // On a full disk whoever wants to write says so, and asks for room again; a quiet stream's roll can wait.
            if (done.error().kind() == storage::Errc::no_space) return;
            report_(bridge::Severity::warning, "stream " + log.name(), done.error().message());
        });
    };
    observer.on_room = [this] { commit_->retry(); };
    observer.on_trouble = [this](const storage::Log& log, const storage::Error& error) {
        report_(bridge::Severity::warning, "stream " + log.name(), "cleaning: " + error.message());
    };
    observer.on_fatal = [this](const storage::Error& error) {
        report_(bridge::Severity::error, "log",
                error.message() + " (the agent ends; its log recovers at the next start)");
        failed_ = true;
    };
    return observer;
}

Result<void> Supervisor::start_parts() {
    commit_ = std::make_unique<storage::GroupCommit>(config_.commit, commit_observer());
    cleaner_ = std::make_unique<storage::Cleaner>(files_, clock_, *logs_, config_.cleaner, cleaner_observer());
    auto qos2 = bridge::mqtt::Qos2State::recover(*logs_, *commit_);
    if (!qos2) return qos2.error();
    qos2_ = std::move(*qos2);
    auto routes = bridge::TopicMap::create(config_.routes);
    if (auto* faults = std::get_if<std::vector<bridge::RouteFault>>(&routes)) {
        return storage::Error(storage::Errc::invalid, faults->front().what);
    }
    ingest_ = std::make_unique<bridge::mqtt::Ingest>(std::get<bridge::TopicMap>(std::move(routes)), *logs_, *commit_,
                                                     *qos2_, kDeadLetterStream, clock_, report_);
    if (auto done = open_rules(); !done) return done;
    if (config_.kafka) {
        std::vector<bridge::kafka::StreamTarget> targets;
        for (const auto& [name, stream] : config_.streams) {
            if (stream.forward) targets.push_back({name, stream.kafka_topic.value_or(name)});
        }
        auto forwarder = bridge::kafka::Forwarder::start(
            *config_.kafka, std::move(targets),
            {*logs_, *commit_, *catalog_, kDeadLetterStream, report_,
             [this](const std::string& stream, storage::Offset cursor) { logs_->find(stream)->set_finished(cursor); },
             [this](const std::string& /*why*/) { fenced_ = true; }});
        if (!forwarder) return forwarder.error();
        forwarder_ = std::move(*forwarder);
    }
    for (const auto& source : config_.sources) {
        sources_.push_back(std::make_unique<bridge::mqtt::PahoSource>(source, *ingest_, *catalog_, report_));
    }
    if (config_.listener) {
        auto listener = bridge::mqtt::Listener::start(*config_.listener, config_.data_dir + "/sessions.db", *ingest_,
                                                      clock_, report_);
        if (!listener) return listener.error();
        listener_ = std::move(*listener);
    }
    if (rules_) rules_->start();
    return {};
}

Result<void> Supervisor::open_rules() {
    if (config_.rules.rules.empty()) return {};
    auto rules =
        RuleRunner::open(config_.rules, config_.data_dir,
                         {files_, clock_, *logs_, *commit_, report_,
                          [this](const std::string& stream, storage::Offset first, storage::Offset next) {
                              events_.rules_gap(stream, first, next);
                          },
                          [this](const std::string& key, const std::string& value) { publish_alert(key, value); }});
    if (!rules) return rules.error();
    rules_ = std::move(*rules);
    return {};
}

/// For a lamp or a panel on the spot: the newest of each device and rule, also for who comes later.
void Supervisor::publish_alert(const std::string& key, const std::string& value) {
    if (!listener_) return;
    bridge::Message message;
    message.topic = kAlertTopic + key;
    std::replace_if(
        message.topic.begin(), message.topic.end(),
        [](char c) { return c == '+' || c == '#' || static_cast<unsigned char>(c) < ' '; }, '_');
    message.payload = value;
    message.qos = 1;
    message.retain = true;
    message.content_type = "application/json";
    message.arrived = clock_.now();
    if (value.find("\"state\":\"resolved\"") != std::string::npos) {
        message.expiry_interval = static_cast<std::uint32_t>(kResolvedStays.count());
    }
    listener_->publish(std::move(message));
}

void Supervisor::reload() {
    if (!listener_) return report_(bridge::Severity::info, "agent", "SIGHUP: there is nothing to read again");
    if (const auto done = listener_->reload(); !done) {
        return report_(bridge::Severity::error, "mqtt", "nothing is changed: " + done.error().message());
    }
    report_(bridge::Severity::info, "mqtt", "users, ACL and certificates are read again");
}

void Supervisor::tick() {
    flash_->tick();
    if (auto* events = logs_->find(kEventsStream)) events_.flush(*commit_, *events);
    for (auto* log : logs_->streams()) {
        if (log->options().durability != storage::Durability::memory) continue;
        commit_->post([this, log] {
            auto done = log->spill_if_due();
            if (!done && done.error().kind() != storage::Errc::no_space) failed_ = true;
        });
    }
    const auto now = SteadyClock::now();
    if (now < next_checkpoint_) return;
    next_checkpoint_ = now + kCheckpointInterval;
    qos2_->checkpoint_soon();
}

bool Supervisor::stop(std::optional<std::chrono::milliseconds> within) {
    const auto deadline = SteadyClock::now() + within.value_or(config_.shutdown_timeout);
    if (rules_ && !failed_) rules_->stop(deadline);  // while who is to hear of the last alerts is there
    if (listener_) listener_->stop(deadline);
    for (auto& source : sources_) source->begin_stop();
    bool clean = true;
    for (auto& source : sources_) clean = source->finish_stop(deadline) && clean;
    if (clean) sources_.clear();
    if (clean && qos2_ && !failed_) {
        // A shortcut for the next start, which would otherwise read more of the logs.
        if (auto done = qos2_->checkpoint(deadline); !done) {
            report_(bridge::Severity::debug, "log", done.error().message());
        }
    }
    if (forwarder_) forwarder_->stop(deadline);
    if (logs_ && commit_) {
        if (auto* events = logs_->find(kEventsStream)) events_.flush(*commit_, *events);
    }
    if (cleaner_) cleaner_->stop();
    if (commit_) commit_->stop();
    rules_.reset();
    listener_.reset();  // what was on its way into the log has completed
    if (logs_ && !failed_) {
        if (auto done = logs_->close(); !done) report_(bridge::Severity::error, "log", done.error().message());
    }
    if (!clean) {
        // A thread of Paho's is inside of accept() for good. Its objects have to outlive it.
        for (auto& source : sources_) static_cast<void>(source.release());
        static_cast<void>(ingest_.release());
        static_cast<void>(qos2_.release());
        static_cast<void>(commit_.release());
        flash_.reset();
        static_cast<void>(catalog_.release());
        static_cast<void>(logs_.release());
        sources_.clear();
    }
    forwarder_.reset();
    cleaner_.reset();
    commit_.reset();
    return clean;
}

AgentStatus Supervisor::status() const {
    AgentStatus status;
    status.flash_days_left = flash_->days_left();
    const auto counters = ingest_->counters();
    status.received = counters.received;
    status.accepted = counters.accepted;
    if (listener_) {
        status.received += listener_->status().local_only;
        status.accepted += listener_->status().accepted;
    }
    status.sources_connected =
        std::all_of(sources_.begin(), sources_.end(), [](const auto& source) { return source->status().connected; });
    if (rules_) status.rules = rules_->status();
    if (forwarder_) {
        const auto forwarding = forwarder_->status();
        status.cluster_connected = forwarding.connected;
        for (const auto& stream : forwarding.streams) {
            status.forwarded += stream.forwarded;
            status.backlog += stream.backlog;
        }
    }
    return status;
}

}  // namespace sluice::agent
