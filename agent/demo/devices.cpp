#include "agent/demo/devices.hpp"

#include "bridge/mqtt/publisher.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <sstream>
#include <thread>
#include <utility>

namespace sluice::agent::demo {

namespace {

using bridge::mqtt::Publisher;
using SteadyClock = std::chrono::steady_clock;

constexpr int kWornPumpNumber = 7;
constexpr std::chrono::milliseconds kRound{40};  // each pump publishes its share of a round, then all wait

std::string telemetry(int number, std::uint64_t sequence, double wear, std::mt19937& random) {
    std::normal_distribution<double> noise(0.0, 1.0);
    const double worn = number == kWornPumpNumber ? wear * wear : 0.0;  // slowly first, then fast
    const auto now =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
    std::array<char, 200> text{};
    std::snprintf(text.data(), text.size(),
                  R"({"ts":%lld,"seq":%llu,"vibration":%.2f,"temperature":%.1f,"current":%.2f})",
                  static_cast<long long>(now.count()), static_cast<unsigned long long>(sequence),
                  2.0 + 9.0 * worn + 0.1 * noise(random), 55.0 + 30.0 * worn + 0.3 * noise(random),
                  8.0 + 2.0 * worn + 0.05 * noise(random));
    return text.data();
}

bool closed_by_peer(int fd) {  // the demo never writes twice: readable means end of file
    pollfd item{fd, POLLIN, 0};
    return ::poll(&item, 1, 0) > 0;
}

int read_port(int fd) {
    int port = 0;
    return ::read(fd, &port, sizeof port) == static_cast<ssize_t>(sizeof port) ? port : 0;
}

std::string publish_until_closed(int commands, int port, const PlantOptions& options,
                                 std::vector<std::unique_ptr<Publisher>>& pumps) {
    const std::string url = "tcp://127.0.0.1:" + std::to_string(port);
    for (int number = 1; number <= options.devices; ++number) {
        auto pump = Publisher::connect(url, pump_name(number));
        if (!pump) return pump.error().message();
        pumps.push_back(std::move(*pump));
    }
    for (auto& pump : pumps) {
        if (auto done = pump->wait_connected(); !done) return done.error().message();
    }
    // A fixed seed: each demo shows the same plant.
    std::mt19937 random(static_cast<std::mt19937::result_type>(options.devices));
    std::vector<std::uint64_t> sequences(pumps.size());
    const auto start = SteadyClock::now();
    const double per_round = options.messages_per_second * std::chrono::duration<double>(kRound).count();
    double owed = 0;
    std::size_t next = 0;
    for (auto round = start; !closed_by_peer(commands); round += kRound) {
        std::this_thread::sleep_until(round);
        const auto elapsed = std::chrono::duration<double>(SteadyClock::now() - start).count();
        const double wear = std::min(1.0, elapsed / static_cast<double>(options.duration.count()));
        owed += per_round;
        const auto due = static_cast<int>(owed);
        owed -= due;
        for (int i = 0; i < due; ++i, next = (next + 1) % pumps.size()) {
            const int number = static_cast<int>(next) + 1;
            const auto sent = pumps[next]->publish("plant/" + pump_name(number) + "/telemetry",
                                                   telemetry(number, sequences[next], wear, random));
            if (!sent) return sent.error().message();
            ++sequences[next];
        }
    }
    return {};
}

int devices_main(int commands, int reports, const PlantOptions& options) {
    const int port = read_port(commands);
    if (port == 0) return 0;  // the demo ended before it began
    std::vector<std::unique_ptr<Publisher>> pumps;
    const auto failure = publish_until_closed(commands, port, options, pumps);
    std::ostringstream report;
    bool complete = failure.empty();
    for (auto& pump : pumps) complete = pump->wait_for_acknowledgements(std::chrono::seconds(10)) && complete;
    report << (complete ? 1 : 0);
    for (auto& pump : pumps) report << ' ' << pump->acknowledged();
    report << '\n' << failure;
    const auto text = report.str();
    return ::write(reports, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1;
}

}  // namespace

std::string pump_name(int number) {
    return (number < 10 ? "pump-0" : "pump-") + std::to_string(number);
}

Plant::Plant(ChildProcess process, int commands, int reports)
    : process_(std::move(process)), commands_(commands), reports_(reports) {}

Plant::Plant(Plant&& other) noexcept
    : process_(std::move(other.process_)),
      commands_(std::exchange(other.commands_, -1)),
      reports_(std::exchange(other.reports_, -1)) {}

Plant::~Plant() {
    finish();
    if (reports_ >= 0) ::close(reports_);
}

storage::Result<Plant> Plant::start(const PlantOptions& options) {
    std::array<int, 2> commands{};
    std::array<int, 2> reports{};
    if (::pipe2(commands.data(), O_CLOEXEC) != 0 || ::pipe2(reports.data(), O_CLOEXEC) != 0) {
        return storage::Error::from_errno(errno, "make", "a pipe");
    }
    auto process = ChildProcess::fork([&] {
        ::close(commands[1]);
        ::close(reports[0]);
        return devices_main(commands[0], reports[1], options);
    });
    ::close(commands[0]);
    ::close(reports[1]);
    if (!process) return process.error();
    return Plant(std::move(*process), commands[1], reports[0]);
}

void Plant::go(int port) {
    // A failure shows as an empty ledger.
    static_cast<void>(!::write(commands_, &port, sizeof port));
}

void Plant::finish() {
    if (commands_ >= 0) ::close(std::exchange(commands_, -1));
}

Plant::Ledger Plant::ledger(std::chrono::milliseconds timeout) {
    std::string text;
    const auto deadline = SteadyClock::now() + timeout;
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
        pollfd item{reports_, POLLIN, 0};
        if (left.count() <= 0 || ::poll(&item, 1, static_cast<int>(left.count())) <= 0) break;
        std::array<char, 1024> part{};
        const auto n = ::read(reports_, part.data(), part.size());
        if (n <= 0) break;
        text.append(part.data(), static_cast<std::size_t>(n));
    }
    Ledger ledger;
    std::istringstream report(text);
    std::string counts;
    std::getline(report, counts);
    std::getline(report, ledger.failure);
    std::istringstream numbers(counts);
    int complete = 0;
    if (!(numbers >> complete)) ledger.failure = "the simulated devices did not report";
    ledger.complete = complete == 1;
    for (std::uint64_t count = 0; numbers >> count;) ledger.acknowledged.push_back(count);
    return ledger;
}

}  // namespace sluice::agent::demo
