// mqtt_load: puts load on an MQTT 3.1.1 server and measures its acknowledgements. One thread.
//
//   mqtt_load publish --port PORT [--connections 50] [--qos 1|2] [--payload-bytes 200] [--inflight 20]
//                     [--seconds 10] [--rate R] [--burst 1]
//                     as fast as acknowledged, or R messages a second over all, BURST of one connection at a time
//   mqtt_load idle --port PORT [--connections 10000] [--keep-alive 60] [--seconds 30]
//
// Prints a JSON object; `idle` prints {"connected": N} as a line of its own before, when it has all its connections.
// Exits 1 where it could not open its connections. tests/bench/load has the parts.
#include "tests/bench/load/idle_fleet.hpp"
#include "tests/bench/load/publisher.hpp"

#include <CLI/CLI.hpp>
#include <arpa/inet.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <limits>
#include <string>

namespace {

using sluice::load::Address;
using sluice::load::Connection;
using sluice::load::IdleFleet;
using sluice::load::Measurement;
using sluice::load::Poller;
using sluice::load::Publisher;
using sluice::load::PublishOptions;
using sluice::load::SteadyClock;
using sluice::load::TimePoint;
using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kConnectTimeout{60};
constexpr std::chrono::seconds kWarmUp{1};
constexpr std::chrono::seconds kDrainTimeout{10};  // for acknowledgements that are on their way at the end
constexpr double kCanaryRate = 10;

struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 1883;
    double seconds = 10;
    std::uint16_t keep_alive_seconds = 60;
    std::size_t idle_connections = 10'000;
    PublishOptions publish;
};

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Room for `count` sockets, as far as this process may ask for it.
void raise_open_files(std::size_t count) {
    constexpr std::size_t kOthers = 64;
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t wanted = count + kOthers;
    if (limit.rlim_cur >= wanted) return;
    limit.rlim_cur = wanted;
    limit.rlim_max = std::max(limit.rlim_max, wanted);
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return;
    std::cerr << "mqtt_load: may not open " << wanted << " files\n";
    std::exit(1);
}

Address address_of(const Options& options) {
    Address address;
    address.server.sin_family = AF_INET;
    address.server.sin_port = htons(options.port);
    if (inet_pton(AF_INET, options.host.c_str(), &address.server.sin_addr) != 1) {
        std::cerr << "mqtt_load: --host wants an IPv4 address, not " << options.host << '\n';
        std::exit(1);
    }
    return address;
}

/// All of them, or the program ends.
void require_open(const std::vector<Connection*>& connections) {
    const auto is_open = [](const Connection* one) { return one->state() == Connection::State::open; };
    const auto closed = std::find_if_not(connections.begin(), connections.end(), is_open);
    if (closed == connections.end()) return;
    const auto open = std::count_if(connections.begin(), connections.end(), is_open);
    const auto& reason = (*closed)->reason();
    std::cerr << "mqtt_load: only " << open << " of " << connections.size()
              << " connections could be opened: " << (reason.empty() ? "no answer in time" : reason) << '\n';
    std::exit(1);
}

template <typename Fleet, typename Pace>
void open_fleet(Poller& poller, Fleet& fleet, const Address& address, Pace pace) {
    const auto connections = fleet.connections();
    open_all(
        poller, connections, kConnectTimeout, [&](std::size_t number) { fleet.start_connection(number, address); },
        pace);
    require_open(connections);
}

/// Runs the events until `until`; `pace` does what is due and says when it wants to be called again.
template <typename Pace>
void run_until(Poller& poller, TimePoint until, Pace pace) {
    for (auto now = SteadyClock::now(); now < until; now = SteadyClock::now()) {
        poller.run_once(std::min(until, pace(now)));
    }
}

/// Returns the CPU time that the generator took while messages were counted.
template <typename Pace>
double run_measured(Poller& poller, Publisher& publisher, Pace pace) {
    const auto& measurement = publisher.measurement();
    run_until(poller, measurement.from, pace);
    const auto cpu = cpu_seconds();
    run_until(poller, measurement.until, pace);
    return cpu_seconds() - cpu;
}

/// Waits for what is unacknowledged; what stays so is an error.
void drain(Poller& poller, Publisher& publisher) {
    const auto deadline = SteadyClock::now() + kDrainTimeout;
    while (publisher.outstanding() > 0 && publisher.open_connections() > 0 && SteadyClock::now() < deadline) {
        poller.run_once(std::min(deadline, publisher.pace(SteadyClock::now())));
    }
    if (publisher.outstanding() > 0) {
        publisher.measurement().fail(std::to_string(publisher.outstanding()) + " messages were not acknowledged");
    }
}

Json latency_of(const Measurement& measurement) {
    const auto& latency = measurement.latency_us;
    return {{"p50", latency.percentile(0.5)},
            {"p90", latency.percentile(0.9)},
            {"p99", latency.percentile(0.99)},
            {"p999", latency.percentile(0.999)},
            {"max", latency.max()}};
}

Json report(const Measurement& measurement, double seconds, double cpu) {
    Json line;
    line["acknowledged"] = measurement.acknowledged;
    line["acknowledged_total"] = measurement.acknowledged_total;  // with warm-up and end: what the server must have
    line["sent_total"] = measurement.sent_total;
    line["seconds"] = seconds;
    line["rate"] = static_cast<double>(measurement.acknowledged) / seconds;
    line["latency_us"] = latency_of(measurement);
    line["errors"] = measurement.errors;
    if (measurement.errors > 0) line["first_error"] = measurement.first_error;
    line["generator_cpu_seconds"] = cpu;
    return line;
}

std::chrono::nanoseconds duration_of(const Options& options) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(options.seconds * 1e9));
}

int publish(const Options& options) {
    Poller poller;
    Publisher publisher(poller, options.publish);
    raise_open_files(options.publish.connections);
    open_fleet(poller, publisher, address_of(options), [](TimePoint /*now*/) { return TimePoint::max(); });
    publisher.begin(SteadyClock::now(), kWarmUp, duration_of(options));
    const auto cpu = run_measured(poller, publisher, [&](TimePoint now) { return publisher.pace(now); });
    drain(poller, publisher);
    std::cout << report(publisher.measurement(), options.seconds, cpu).dump() << '\n';
    publisher.end();
    return 0;
}

int idle(Options options) {
    Poller poller;
    IdleFleet fleet(poller, options.idle_connections, options.keep_alive_seconds);
    options.publish.connections = 1;
    options.publish.rate = kCanaryRate;
    Publisher canary(poller, options.publish);
    raise_open_files(options.idle_connections + 1);
    const auto start = SteadyClock::now();
    fleet.begin(start);  // a slow server lasts longer than a keep-alive: who is connected already pings
    const auto ping = [&](TimePoint now) { return fleet.pace(now); };
    open_fleet(poller, fleet, address_of(options), ping);
    open_fleet(poller, canary, address_of(options), ping);
    const std::chrono::duration<double> connecting = SteadyClock::now() - start;
    std::cout << Json{{"connected", options.idle_connections}}.dump() << std::endl;

    canary.begin(SteadyClock::now(), kWarmUp, duration_of(options));
    const auto pace = [&](TimePoint now) { return std::min(fleet.pace(now), canary.pace(now)); };
    const auto cpu = run_measured(poller, canary, pace);
    drain(poller, canary);
    auto line = report(canary.measurement(), options.seconds, cpu);
    line["connections"] = options.idle_connections;
    line["connecting_seconds"] = connecting.count();
    line["connections_lost"] = fleet.counts().lost;
    if (fleet.counts().lost > 0) line["first_loss"] = fleet.counts().first_error;
    line["pings"] = fleet.counts().pings;
    line["pongs"] = fleet.counts().pongs;
    std::cout << line.dump() << '\n';
    fleet.end();
    canary.end();
    return 0;
}

void add_server_options(CLI::App& command, Options& options) {
    command.add_option("--host", options.host, "IPv4 address of the server")->capture_default_str();
    command.add_option("--port", options.port)->required();
    command.add_option("--seconds", options.seconds, "measured, after a second of warm-up")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
}

void add_publish_options(CLI::App& command, Options& options) {
    auto& publish = options.publish;
    constexpr auto kMany = std::numeric_limits<std::uint16_t>::max();
    command.add_option("--connections", publish.connections)->check(CLI::Range(1, int{kMany}))->capture_default_str();
    command.add_option("--qos", publish.qos)->check(CLI::Range(1, 2))->capture_default_str();
    command.add_option("--payload-bytes", publish.payload_bytes)
        ->check(CLI::Range(sluice::load::PayloadPool::kBytesMin, std::size_t{1} << 20U))
        ->capture_default_str();
    command.add_option("--inflight", publish.inflight, "unacknowledged messages of a connection")
        ->check(CLI::Range(1, int{kMany}))
        ->capture_default_str();
    command.add_option("--rate", publish.rate, "messages a second over all connections [as fast as acknowledged]")
        ->check(CLI::PositiveNumber);
    command.add_option("--burst", publish.burst, "with a rate: messages of one connection that are due at once")
        ->check(CLI::Range(1, int{kMany}))
        ->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"Puts load on an MQTT 3.1.1 server and measures its acknowledgements", "mqtt_load"};
    app.require_subcommand(1);
    auto* publish_command = app.add_subcommand("publish", "connections that publish");
    add_server_options(*publish_command, options);
    add_publish_options(*publish_command, options);
    auto* idle_command = app.add_subcommand("idle", "connections that only ping, and one that publishes");
    add_server_options(*idle_command, options);
    idle_command->add_option("--connections", options.idle_connections)
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    idle_command->add_option("--keep-alive", options.keep_alive_seconds, "seconds")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    return publish_command->parsed() ? publish(options) : idle(options);
}
