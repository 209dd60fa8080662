// rules_bench: what the agent's rules cost from the record in the log to the alert: JSON, evaluation, snapshots. Lines
// as models_bench has them. Run by ./dev bench models.
#include "agent/rules/rule_snapshot.hpp"
#include "agent/rules/stream_rules.hpp"
#include "storage/file_system.hpp"

#include <malloc.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace sluice;
using namespace sluice::agent;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kDevices = 10'000;

void say(const std::string& figure, double value, const std::string& unit, const std::string& goal,
         std::optional<bool> holds) {
    std::cout << figure << '\t' << value << '\t' << unit << "\t\t\t" << goal << '\t'
              << (holds ? *holds ? "yes" : "no" : "") << std::endl;
}

double cpu_seconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double resident_mib() {
    std::ifstream file("/proc/self/statm");
    double pages = 0;
    double shared = 0;
    file >> pages >> pages >> shared;
    return (pages - shared) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1024.0 * 1024.0);
}

std::vector<models::rules::RuleSource> rules_of(const std::vector<const char*>& expressions) {
    std::vector<models::rules::RuleSource> sources(expressions.size());
    for (std::size_t i = 0; i < sources.size(); ++i) {
        sources[i].name = "rule-" + std::to_string(i);
        sources[i].expr = expressions[i];
    }
    return sources;
}

std::unique_ptr<StreamRules> made(const std::vector<models::rules::RuleSource>& sources) {
    auto rules = StreamRules::make(sources, kDevices);
    if (rules) return std::move(*rules);
    std::cerr << "rules_bench: " << rules.error().message() << '\n';
    std::exit(1);
}

const std::vector<const char*> kThreeWindows{
    "avg(temperature, 5m) > 80 and slope(temperature, 30m) > 0.5/1h and max(current, 10m) > 300"};
const std::vector<const char*> kTen{kThreeWindows[0],
                                    "avg(vibration, 10m) > 450 and slope(vibration, 1h) > 0.1/1h",
                                    "max(pressure, 10m) - min(pressure, 10m) > 200 and avg(speed, 1m) > 1000",
                                    "stddev(current, 10m) < 0.01 and avg(current, 10m) > 0.1",
                                    "rate(pulses, 10m) < 0.5/1m and temperature > 1000",
                                    "median(level, 1h) > 1000",
                                    "silence(10h)",
                                    "changes(state, 1h) < 1 and lasting(vibration > 1) > 1000h",
                                    "hysteresis(temperature, 800, 75)",
                                    "delta(level, 1h) < -200 or count(level, 1h) < 0"};

/// Seconds of CPU for each of `count` records, of devices in turn, every ten seconds of their time.
double feed(StreamRules& rules, std::size_t devices, std::size_t count, std::int64_t& next) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < devices; ++i) names.push_back("factory/north/pump-" + std::to_string(i));
    std::vector<std::string> payloads;
    for (int i = 0; i < 64; ++i) {
        const auto x = std::to_string(60.5 + i % 7);
        payloads.push_back("{\"ts\":1700000000000,\"temperature\":" + x + ",\"current\":" + x + ",\"vibration\":" + x +
                           ",\"pressure\":" + x + ",\"speed\":" + x + ",\"level\":" + x +
                           ",\"state\":\"RUN\",\"pulses\":" + std::to_string(i) + "}");
    }
    const auto sink = [](const auto&, const auto&, auto) {};
    const double start = cpu_seconds();
    for (std::size_t i = 0; i < count; ++i, ++next) {
        const auto n = static_cast<std::size_t>(next);
        const auto time = storage::Timestamp(
            std::chrono::milliseconds(1'700'000'000'000 + next / static_cast<std::int64_t>(devices) * 10'000));
        rules.take({storage::Offset(next), time, names[n % devices], payloads[n % payloads.size()], {}}, sink);
    }
    return (cpu_seconds() - start) / static_cast<double>(count);
}

void rate() {
    auto rules = made(rules_of(kThreeWindows));
    std::int64_t next = 0;
    feed(*rules, 100, 200'000, next);
    double best = 1;
    for (int round = 0; round < 5; ++round) best = std::min(best, feed(*rules, 100, 200'000, next));
    say("records/s, JSON of 8 fields, one rule of three windows", 1 / best, "/s", "> 100000 /s", 1 / best > 100'000);
}

void state(const std::string& directory) {
    malloc_trim(0);
    const double before = resident_mib();
    const auto sources = rules_of(kTen);
    storage::PosixFileSystem files;
    {
        auto rules = made(sources);
        std::int64_t next = 0;
        feed(*rules, kDevices, kDevices * 5, next);
        const double seconds = feed(*rules, kDevices, kDevices * 20, next);
        say("records/s, JSON, ten rules, 10,000 devices", 1 / seconds, "/s", "> 100000 /s", 1 / seconds > 100'000);
        const double used = resident_mib() - before;
        say("memory of the agent's rules: 10,000 devices, ten rules", used, "MiB", "< 256 MiB", used < 256);
        const auto start = SteadyClock::now();
        const auto size = store_snapshot(files, directory, "bench", {"", "", 0, kDevices, sources},
                                         [&](models::StateWriter& writer) { rules->save(writer); });
        const std::chrono::duration<double> took = SteadyClock::now() - start;
        if (!size) std::exit(1);
        say("  snapshot", static_cast<double>(*size) / (1024.0 * 1024.0), "MiB", "", {});
        say("  saved, synced", took.count(), "s", "< 2 s", took.count() < 2);
    }
    malloc_trim(0);
    const auto start = SteadyClock::now();
    auto rules = made(sources);
    const auto snapshot = RuleSnapshot::load(directory, "bench");
    std::vector<models::Alert> ended;
    if (!snapshot || rules->restore((*snapshot)->state(), ended)) std::exit(1);
    const std::chrono::duration<double> took = SteadyClock::now() - start;
    say("  restored", took.count(), "s", "< 2 s", took.count() < 2);
    const double used = resident_mib() - before;
    say("  memory then, without the mapped file", used, "MiB", "< 256 MiB", used < 256);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: rules_bench DIR\n";
        return 2;
    }
    state(argv[1]);
    rate();
    return 0;
}
