#include "agent/supervisor.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

namespace sluice::agent {

namespace {

using SteadyClock = std::chrono::steady_clock;
using storage::Result;

constexpr auto kRetentionInterval = std::chrono::seconds(10);
constexpr auto kRoomInterval = std::chrono::seconds(1);

/// The agent's own notes: small, and only the newest state counts.
storage::LogOptions inbound_options() {
    storage::LogOptions options;
    options.segment_bytes = 1U << 20U;
    options.retention_bytes = 2U << 20U;
    options.compression = storage::Compression::none;
    return options;
}

}  // namespace

Supervisor::Supervisor(const Config& config, bridge::Report report)
    : config_(config), report_(std::move(report)), events_(config.id, clock_, report_) {}

Supervisor::~Supervisor() {
    if (!sources_.empty() || forwarder_ || commit_) static_cast<void>(stop());
}

Result<std::unique_ptr<Supervisor>> Supervisor::start(const Config& config, bridge::Report report) {
    std::unique_ptr<Supervisor> agent(new Supervisor(config, std::move(report)));
    if (auto done = agent->open_logs(); !done) return done.error();
    if (auto done = agent->start_parts(); !done) return done.error();
    return agent;
}

Result<void> Supervisor::open_logs() {
    auto logs =
        storage::LogDir::open(files_, clock_, config_.data_dir, [this](const storage::Gap& gap) { events_.gap(gap); });
    if (!logs) return logs.error();
    logs_ = std::move(*logs);
    if (auto log = logs_->open_stream(bridge::mqtt::kInboundStream, inbound_options()); !log) return log.error();
    for (const auto& [name, stream] : config_.streams) {
        if (auto log = logs_->open_stream(name, stream.log); !log) return log.error();
    }
    auto catalog = storage::Catalog::open(config_.data_dir + "/catalog.db");
    if (!catalog) return catalog.error();
    catalog_ = std::move(*catalog);
    const auto cursors = catalog_->cursors();
    if (!cursors) return cursors.error();
    for (const auto& cursor : *cursors) {
        const auto* log = logs_->find(cursor.stream);
        if (log != nullptr && log->id() == cursor.log_id) finished_[cursor.stream] = cursor.offset;
    }
    return {};
}

storage::GroupCommit::Observer Supervisor::commit_observer() {
    storage::GroupCommit::Observer observer;
    observer.on_no_space = [this](const storage::Error& error) {
        report_(bridge::Severity::error, "log",
                error.message() + " (nothing is acknowledged to devices until there is space)");
    };
    observer.on_space_again = [this] { report_(bridge::Severity::info, "log", "there is space again"); };
    observer.on_sync_failed = [this](const storage::Error& error) {
        report_(bridge::Severity::error, "log",
                error.message() + " (the agent ends; its log recovers at the next start)");
        failed_ = true;
    };
    return observer;
}

Result<void> Supervisor::start_parts() {
    commit_ = std::make_unique<storage::GroupCommit>(config_.commit, commit_observer());
    auto qos2 = bridge::mqtt::Qos2State::recover(*logs_, *commit_);
    if (!qos2) return qos2.error();
    qos2_ = std::move(*qos2);
    auto routes = bridge::TopicMap::create(config_.routes);
    if (auto* faults = std::get_if<std::vector<bridge::RouteFault>>(&routes)) {
        return storage::Error(storage::Errc::invalid, faults->front().what);
    }
    ingest_ = std::make_unique<bridge::mqtt::Ingest>(std::get<bridge::TopicMap>(std::move(routes)), *logs_, *commit_,
                                                     *qos2_, kDeadLetterStream, clock_, report_);
    if (config_.kafka) {
        std::vector<bridge::kafka::StreamTarget> targets;
        for (const auto& [name, stream] : config_.streams) {
            if (stream.forward) targets.push_back({name, stream.kafka_topic.value_or(name)});
        }
        auto forwarder = bridge::kafka::Forwarder::start(*config_.kafka, std::move(targets),
                                                         {*logs_, *commit_, *catalog_, kDeadLetterStream, report_,
                                                          [this](const std::string& stream, storage::Offset cursor) {
                                                              const std::lock_guard lock(finished_mutex_);
                                                              finished_[stream] = cursor;
                                                          }});
        if (!forwarder) return forwarder.error();
        forwarder_ = std::move(*forwarder);
    }
    for (const auto& source : config_.sources) {
        sources_.push_back(std::make_unique<bridge::mqtt::PahoSource>(source, *ingest_, *catalog_, report_));
    }
    return {};
}

void Supervisor::tick() {
    if (auto* events = logs_->find(kEventsStream)) events_.flush(*commit_, *events);
    const auto now = SteadyClock::now();
    if (now < next_retention_) return;
    const bool make_room = commit_->counters().blocked_by_space;
    next_retention_ = now + (make_room ? kRoomInterval : kRetentionInterval);
    commit_->post([this, make_room] { apply_retention(make_room); });
}

/// On the log thread, which is the one that may delete.
void Supervisor::apply_retention(bool make_room) {
    for (auto* log : logs_->streams()) {
        std::optional<storage::Offset> finished;
        const auto stream = config_.streams.find(log->name());
        const bool forwards = stream != config_.streams.end() && stream->second.forward && config_.kafka;
        if (forwards) {
            const std::lock_guard lock(finished_mutex_);
            const auto found = finished_.find(log->name());
            finished = found == finished_.end() ? log->log_start_offset() : found->second;
        }
        auto done = log->delete_expired(finished);
        if (done && make_room && finished) done = log->delete_finished(*finished);
        if (!done) report_(bridge::Severity::warning, "stream " + log->name(), "retention: " + done.error().message());
    }
}

bool Supervisor::stop() {
    const auto deadline = SteadyClock::now() + config_.shutdown_timeout;
    for (auto& source : sources_) source->begin_stop();
    bool clean = true;
    for (auto& source : sources_) clean = source->finish_stop(deadline) && clean;
    if (clean) sources_.clear();
    if (clean && qos2_ && !failed_) {
        // A shortcut for the next start, which would otherwise read more of the logs.
        if (auto done = qos2_->checkpoint(); !done) report_(bridge::Severity::warning, "log", done.error().message());
    }
    if (forwarder_) forwarder_->stop(deadline);
    if (logs_ && commit_) {
        if (auto* events = logs_->find(kEventsStream)) events_.flush(*commit_, *events);
    }
    if (commit_) commit_->stop();
    if (logs_ && !failed_) {
        if (auto done = logs_->close(); !done) report_(bridge::Severity::error, "log", done.error().message());
    }
    if (!clean) {
        // A thread of Paho's is inside of accept() for good. Its objects have to outlive it.
        for (auto& source : sources_) static_cast<void>(source.release());
        static_cast<void>(ingest_.release());
        static_cast<void>(qos2_.release());
        static_cast<void>(commit_.release());
        static_cast<void>(catalog_.release());
        static_cast<void>(logs_.release());
        sources_.clear();
    }
    forwarder_.reset();
    commit_.reset();
    return clean;
}

AgentStatus Supervisor::status() const {
    AgentStatus status;
    const auto counters = ingest_->counters();
    status.received = counters.received;
    status.accepted = counters.accepted;
    status.sources_connected =
        std::all_of(sources_.begin(), sources_.end(), [](const auto& source) { return source->status().connected; });
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
