// The demo: the agent as it is, between simulated devices and a cluster that goes away and comes back, and a consumer
// that says whether everything arrived once.
#include "agent/cli/commands.hpp"
#include "agent/config_file.hpp"
#include "agent/demo/auditor.hpp"
#include "agent/demo/cluster.hpp"
#include "agent/demo/devices.hpp"
#include "agent/demo/page.hpp"
#include "agent/logging.hpp"
#include "agent/signals.hpp"
#include "agent/supervisor.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

namespace sluice::agent {

namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr const char* kTopic = "telemetry";
constexpr int kPartitions = 4;
constexpr auto kDrainPatience = 60s;
constexpr auto kInterruptedPatience = 500ms;

/// Removed, with all that is in it, when the demo ends.
class TempDir {
 public:
    TempDir() {
        std::error_code failed;  // TMPDIR may name no directory
        auto name = (std::filesystem::temp_directory_path(failed) / "sluice-demo-XXXXXX").string();
        if (!failed && ::mkdtemp(name.data()) != nullptr) path_ = name;
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir() {
        // More than once: a process that was killed may still be writing its last file.
        std::error_code failed;
        for (int i = 0; i < 40 && !path_.empty(); ++i) {
            std::filesystem::remove_all(path_, failed);
            if (!failed && !std::filesystem::exists(path_)) return;
            std::this_thread::sleep_for(50ms);
        }
    }
    [[nodiscard]] std::string path() const { return path_.string(); }

 private:
    std::filesystem::path path_;
};

std::string configuration(const std::string& directory, int port, const std::string& brokers) {
    return "[agent]\nid = \"demo\"\ndata_dir = \"" + directory +
           "/data\"\nlog_level = \"error\"\nshutdown_timeout = \"3s\"\n\n" +             //
           "[listener.mqtt]\nbind = [\"127.0.0.1:" + std::to_string(port) + "\"]\n\n" +  //
           "[[route]]\ntopic = \"plant/{device}/telemetry\"\nstream = \"" + kTopic +
           "\"\nkey = \"{device}\"\ntimestamp = \"/ts\"\n\n" +  //
           "[kafka]\nbrokers = \"" + brokers + "\"\npartitions = " + std::to_string(kPartitions) +
           "\nretry_max = \"1s\"\n\n[kafka.properties]\n\"reconnect.backoff.max.ms\" = \"1000\"\n";
}

/// Without the agent's own events, which an outage makes.
std::uint64_t forwarded(const AgentStatus& status) {
    std::uint64_t records = 0;
    for (const auto& stream : status.forwarding->streams) {
        if (stream.stream == kTopic) records += stream.forwarded;
    }
    return records;
}

class Show {
 public:
    Show(Supervisor& agent, admin::Admin* page) : agent_(agent), page_(page), start_(SteadyClock::now()) {}

    void head() const {
        std::printf("\n%5s %10s %10s %12s %9s %11s\n%5s %10s %10s %12s %9s %11s\n", "time", "received", "durable",
                    "forwarded", "backlog", "drain time", "s", "messages", "records", "records", "records", "s");
    }

    void tick() {
        agent_.tick();
        if (page_ != nullptr) page_->tick();
    }

    void line(bool cluster_away) {
        tick();
        if (elapsed() == last_) return;  // a real cluster takes seconds to come back: no lines are made up for
        last_ = elapsed();
        const auto status = agent_.status();
        const auto& rates = status.rates;
        std::array<char, 32> drain{};
        if (cluster_away)
            std::snprintf(drain.data(), drain.size(), "away");
        else if (status.backlog == 0 || rates.keeps_up)
            std::snprintf(drain.data(), drain.size(), "live");
        else if (!rates.drain_time)
            std::snprintf(drain.data(), drain.size(), "growing");
        else
            std::snprintf(drain.data(), drain.size(), "%.1f", rates.drain_time->count());
        std::printf("%5lld %10llu %10llu %12llu %9llu %11s\n", static_cast<long long>(elapsed().count()),
                    static_cast<unsigned long long>(status.received), static_cast<unsigned long long>(status.accepted),
                    static_cast<unsigned long long>(forwarded(status)), static_cast<unsigned long long>(status.backlog),
                    drain.data());
        std::fflush(stdout);
    }

    [[nodiscard]] std::chrono::seconds elapsed() const {
        return std::chrono::duration_cast<std::chrono::seconds>(SteadyClock::now() - start_);
    }
    [[nodiscard]] SteadyClock::time_point start() const { return start_; }

 private:
    Supervisor& agent_;
    admin::Admin* const page_;  // nullptr: there is none
    SteadyClock::time_point start_;
    std::chrono::seconds last_{0};
};

int fail(const std::string& what) {
    std::cerr << "sluice demo: " << what << '\n';
    return 1;
}

int print_verdict(const demo::Verdict& verdict, const demo::Plant::Ledger& ledger) {
    if (!ledger.failure.empty()) return fail("the devices could not publish: " + ledger.failure);
    if (!ledger.complete) return fail("the agent has not acknowledged all that the devices sent");
    std::printf("\n%s: vibration %.1f mm/s in its first message, %.1f in its last, as read back from Kafka\n",
                demo::kWornPump, verdict.first_vibration, verdict.last_vibration);
    std::printf("verdict: published %llu, in Kafka %llu, lost %llu, duplicates %llu: %s\n",
                static_cast<unsigned long long>(verdict.published), static_cast<unsigned long long>(verdict.in_kafka),
                static_cast<unsigned long long>(verdict.lost), static_cast<unsigned long long>(verdict.duplicates),
                verdict.good() ? "good" : "NOT GOOD");
    return verdict.good() ? 0 : 1;
}

/// Devices publish for `seconds`; the cluster is away in the middle third.
/// Returns early where a signal asks for the end, and with an error where the cluster doesn't come back.
storage::Result<void> run_outage(Show& show, demo::Cluster& cluster, std::chrono::seconds duration, Signals& signals) {
    const auto away_at = duration / 3;
    const auto back_at = duration * 2 / 3;
    bool away = false;
    bool back = false;
    for (int second = 1; second <= duration.count(); ++second) {
        if (signals.wait_until(show.start() + std::chrono::seconds(second))) return {};
        if (!away && show.elapsed() >= away_at) {
            std::printf("      ---- the cluster goes away\n");
            cluster.take_away();
            away = true;
        }
        if (away && !back && show.elapsed() >= back_at) {
            std::printf("      ---- the cluster comes back\n");
            if (auto done = cluster.bring_back(signals); !done) return done.error();
            back = true;
        }
        show.line(away && !back);
    }
    return {};
}

/// Waits until the backlog is gone and the consumer has seen all of it. False: interrupted.
bool wait_for_drain(Show& show, const Supervisor& agent, const demo::Auditor& auditor, Signals& signals) {
    const auto deadline = SteadyClock::now() + kDrainPatience;
    while (SteadyClock::now() < deadline) {
        const auto status = agent.status();
        if (status.backlog == 0 && auditor.records() >= forwarded(status)) break;
        if (signals.wait_until(SteadyClock::now() + 1s)) return false;
        show.line(false);
    }
    return !signals.wait_until(SteadyClock::now() + 500ms);  // a duplicate would arrive late
}

bool asked_to_end(Signals& signals) {
    return signals.wait_until(SteadyClock::now());
}

void stay_until_interrupted(Show& show, const std::string& url, Signals& signals) {
    std::printf("the page is at %s until Ctrl-C\n", url.c_str());
    std::fflush(stdout);
    while (!signals.wait_until(SteadyClock::now() + 1s)) show.tick();
}

/// Ends at once what would take its time to end in order. The rest is ended by its owners.
int interrupt(demo::Cluster& cluster, Supervisor& agent, admin::Admin* page) {
    if (page != nullptr) page->stop();
    cluster.abandon();
    static_cast<void>(agent.stop(kInterruptedPatience));
    return kExitInterrupted;
}

}  // namespace

int demo_command(const DemoArguments& arguments) {
    Signals signals;  // before any thread or child: they inherit what is blocked
    auto plant = demo::Plant::start({20, arguments.messages_per_second, arguments.duration});
    if (!plant) return fail(plant.error().message());
    const TempDir directory;
    if (directory.path().empty()) return fail("cannot make a directory for temporary files (does TMPDIR name one?)");

    auto cluster = arguments.kafka_command.empty()
                       ? demo::start_mock_cluster(kTopic, kPartitions)
                       : demo::start_command_cluster(arguments.kafka_command, directory.path(), signals);
    if (!cluster) return asked_to_end(signals) ? kExitInterrupted : fail(cluster.error().message());
    const auto port = demo::free_port();
    if (!port) return fail(port.error().message());

    const auto page_port = demo::free_port();
    if (!page_port) return fail(page_port.error().message());

    const auto config_path = directory.path() + "/sluice.toml";
    std::ofstream(config_path) << configuration(directory.path(), *port, (*cluster)->brokers())
                               << (arguments.open ? demo::page_configuration(*page_port, kTopic) : "");
    auto config = load_config(config_path, {});
    if (!config.config) return fail(config.text());
    std::printf(
        "cluster:  %s at %s\nagent:    MQTT at 127.0.0.1:%d; forwards plant/{device}/telemetry to the topic \"%s\", "
        "key "
        "{device}\ndevices:  20 pumps, %d messages/s, QoS 1; %s wears out\n",
        (*cluster)->name().c_str(), (*cluster)->brokers().c_str(), *port, kTopic, arguments.messages_per_second,
        demo::kWornPump);

    const auto report = make_report(config.config->log_level, LogFormat::text);
    auto agent = Supervisor::start(*config.config, report);
    if (!agent) return fail(agent.error().message());
    std::unique_ptr<admin::Admin> page;
    const auto url = "http://127.0.0.1:" + std::to_string(*page_port) + "/";
    if (arguments.open) {
        auto started = demo::start_page(*config.config, **agent, report);
        if (!started) return fail(started.error().message());
        page = std::move(*started);
        std::printf("page:     %s\n", url.c_str());
        demo::open_browser(url);
    }
    auto reader = bridge::kafka::TopicReader::open((*cluster)->brokers(), kTopic, kPartitions);
    if (!reader) return fail(reader.error().message());
    const demo::Auditor auditor(std::move(*reader));

    plant->go(*port);
    Show show(**agent, page.get());
    show.head();
    const auto ran = run_outage(show, **cluster, arguments.duration, signals);
    if (asked_to_end(signals)) return interrupt(**cluster, **agent, page.get());
    if (!ran) return fail(ran.error().message());
    plant->finish();
    const auto ledger = plant->ledger(20s);
    std::printf("      ---- the devices stop\n");
    if (!wait_for_drain(show, **agent, auditor, signals)) return interrupt(**cluster, **agent, page.get());
    const int code = print_verdict(auditor.verdict(ledger.acknowledged), ledger);
    if (page) {
        stay_until_interrupted(show, url, signals);
        page->stop();
    }
    if (!(*agent)->stop()) return fail("the agent did not stop in time");
    return code;
}

}  // namespace sluice::agent
