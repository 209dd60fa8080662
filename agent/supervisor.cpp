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
// How long the cleaner may take to make room before a stream that gives way is said to wait.
constexpr auto kMakingRoomFor = std::chrono::seconds(5);

const std::string kAlertTopic = "sluice/alerts/";
constexpr std::chrono::seconds kResolvedStays = std::chrono::hours(24);  // as a retained message

/// What was said of a stream that finds no space.
struct FullSaid {
    SteadyClock::time_point since{};
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
    for (const auto* log : logs_->streams()) {
        if (log->waits_to_begin())
            report_(
                bridge::Severity::error, "stream " + log->name(),
                "the disk is full, and has no room for the new stream's directory: what arrives waits until there is");
    }
    catalog_ = std::move(open->catalog);
    device_book_.emplace(devices_, *catalog_, report_);
    flash_.emplace(config_.data_dir, config_.flash_endurance_bytes, *catalog_, clock_, report_);
    return {};
}

storage::GroupCommit::Observer Supervisor::commit_observer() {
    storage::GroupCommit::Observer observer;
    auto said = std::make_shared<std::map<const storage::Log*, FullSaid>>();  // of the log thread
    observer.on_no_space = [this, said](const storage::Log& log, const storage::Error& error, bool again) {
        // Compaction leaves alone what QoS 2 may still need to be found after a kill.
        if (qos2_ && log.options().on_full == storage::OnFull::compact) qos2_->checkpoint_soon();
        if (cleaner_) cleaner_->make_room(log);
        if (log.options().on_full == storage::OnFull::drop_newest) return;  // acknowledged, and told as a gap
        auto& full = (*said)[&log];
        const auto now = SteadyClock::now();
        if (!again) full.since = now;
        const bool gives_way = log.options().on_full != storage::OnFull::block;
        if (full.open || (gives_way && now - full.since < kMakingRoomFor)) return;
        if (full.at != SteadyClock::time_point() && now - full.at < kFullInterval) return;
        full.at = now;
        full.open = true;
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
    ingest_->set_devices(devices_);
    if (auto done = open_rules(); !done) return done;
    if (config_.kafka) {
        if (auto done = start_forwarder(); !done) return done;
    }
    if (config_.listener) {
        auto listener = bridge::mqtt::Listener::start(*config_.listener, config_.data_dir + "/sessions.db", *ingest_,
                                                      clock_, report_);
        if (!listener) return listener.error();
        listener_ = std::move(*listener);
    }
    // Last: an agent that can't start must not take over the sessions of one that runs, and what they are sent.
    for (const auto& source : config_.sources) {
        sources_.push_back(std::make_unique<bridge::mqtt::PahoSource>(source, *ingest_, *catalog_, report_));
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

Result<void> Supervisor::start_forwarder() {
    if (config_.proofs) {
        auto proofs =
            storage::DeliveryLedger::open(files_, clock_, config_.data_dir + "/" + kProofsDirectory, *config_.proofs);
        if (proofs)
            proofs_ = std::move(*proofs);
        else  // as on a full disk: records matter more
            report_(bridge::Severity::warning, "kafka", "no proofs of delivery are kept: " + proofs.error().message());
    }
    uplink_files_.emplace(*config_.kafka);  // before librdkafka reads them
    std::vector<bridge::kafka::StreamTarget> targets;
    for (const auto& [name, stream] : config_.streams) {
        if (!stream.forward) continue;
        targets.push_back(
            {name, stream.kafka_topic.value_or(name), stream.order, stream.backlog_share, stream.forward_weight});
    }
    auto forwarder = bridge::kafka::Forwarder::start(
        *config_.kafka, std::move(targets),
        {*logs_, *commit_, *catalog_, kDeadLetterStream, report_,
         [this](const std::string& stream, storage::Offset cursor) { logs_->find(stream)->set_finished(cursor); },
         [this](const std::string& /*why*/) { fenced_ = true; },
         [this](const bridge::kafka::OutageChange& change) { events_.outage(change); }, proofs_.get()});
    if (!forwarder) return forwarder.error();
    forwarder_ = std::move(*forwarder);
    return {};
}

/// The way to Kafka gets the certificates and keys that are there now, unless they are of no use.
void Supervisor::renew_uplink() {
    if (const auto fault = uplink_files_->take()) {
        return report_(bridge::Severity::error, "kafka", "the certificates stay as they were: " + *fault);
    }
    report_(bridge::Severity::info, "kafka", "certificates and keys are read again");
    forwarder_->renew();
}

void Supervisor::tick() {
    flash_->tick();
    device_book_->tick();
    if (forwarder_ && (renewal_asked_.exchange(false) || uplink_files_->changed(SteadyClock::now()))) renew_uplink();
    if (auto* events = logs_->find(kEventsStream)) events_.flush(*commit_, *events);
    for (auto* log : logs_->streams()) {
        if (log->options().durability != storage::Durability::memory) continue;
        commit_->post([this, log] {
            auto done = log->spill_if_due();
            if (!done && done.error().kind() != storage::Errc::no_space) failed_ = true;
        });
    }
    const auto now = SteadyClock::now();
    if (forwarder_) {
        if (const auto line = backlog_line_.due(forwarder_->status(), now)) {
            report_(bridge::Severity::info, "kafka", *line);
        }
    }
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
    if (device_book_) device_book_->save();
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

namespace {

storage::Error no_uplink() {
    return {storage::Errc::not_found, "nothing is forwarded: the configuration has no [kafka]"};
}

}  // namespace

Result<void> Supervisor::pause_uplink(const std::string& why) {
    return forwarder_ ? forwarder_->pause(why) : no_uplink();
}

Result<void> Supervisor::resume_uplink() {
    return forwarder_ ? forwarder_->resume() : no_uplink();
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
        status.forwarding = forwarder_->status();
        status.cluster_connected = status.forwarding->connected;
        status.backlog = status.forwarding->backlog;
        status.rates = status.forwarding->rates;
        for (const auto& stream : status.forwarding->streams) status.forwarded += stream.forwarded;
    }
    return status;
}

}  // namespace sluice::agent
