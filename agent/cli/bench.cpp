// `sluice bench --flash`: how many bytes reach the medium for each byte of payload, on this box.
#include "agent/block_device.hpp"
#include "agent/cli/commands.hpp"
#include "agent/config_units.hpp"
#include "storage/group_commit.hpp"
#include "storage/log.hpp"
#include "storage/retention.hpp"

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <thread>

namespace sluice::agent {

namespace {

using storage::Error;
using storage::Result;
using SteadyClock = std::chrono::steady_clock;
using std::chrono_literals::operator""ms;

/// Everything that the file system of `directory` still holds back is written first.
std::uint64_t bytes_written(const BlockDevice& device, const std::string& directory) {
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        ::syncfs(fd);
        ::close(fd);
    }
    return device.bytes_written().value_or(0);
}

/// A reading of a pump, of 200 bytes, which is what telemetry messages commonly have.
std::string payload(std::uint64_t number) {
    const auto wave = std::sin(static_cast<double>(number) / 50.0);
    const auto noise = [&](std::uint64_t steps) { return static_cast<double>(number * 7919 % steps); };
    const nlohmann::ordered_json reading = {{"device", "pump-" + std::to_string(number % 20)},
                                            {"seq", number / 20},
                                            {"ts", 1'700'000'000'000 + number * 3},
                                            {"vibration_mm_s", std::round(2000 + 300 * wave + noise(37)) / 1000},
                                            {"temperature_c", std::round(550 + 20 * wave + noise(5)) / 10},
                                            {"current_a", std::round(1200 + 90 * wave + noise(23)) / 100},
                                            {"pressure_bar", std::round(4200 + 150 * wave + noise(31)) / 1000},
                                            {"speed_rpm", std::round(1480 + 5 * wave + noise(3))},
                                            {"state", "running"},
                                            {"site", "plant-4"}};
    return reading.dump();
}

constexpr std::uint64_t kLogBytesPerMessageMax = 300;
constexpr std::uint64_t kBytesOfFirstSegmentMin = 1U << 20U;

struct Measured {
    std::uint64_t records = 0;
    std::uint64_t payload_bytes = 0;
    std::uint64_t log_bytes = 0;
    std::uint64_t device_bytes = 0;
    std::uint64_t commits = 0;
};

class FlashBench {
 public:
    explicit FlashBench(const BenchArguments& arguments)
        : arguments_(arguments), directory_(arguments.directory + "/sluice-bench") {}
    FlashBench(const FlashBench&) = delete;
    FlashBench& operator=(const FlashBench&) = delete;
    ~FlashBench() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }

    Result<void> run() {
        if (auto done = files_.make_directories(directory_); !done) return done;
        auto device = BlockDevice::under(directory_);
        if (!device) return Error(device.error().kind(), device.error().message() + ": name one on the flash");
        if (!arguments_.json) {
            std::cout << "messages/s  commit interval   bytes/message  log bytes per   device bytes per   commits/s\n"
                         "                                             payload byte       payload byte\n";
        }
        for (const int rate : {10, 100, 1000, 10'000}) {
            for (const auto interval : {10ms, 100ms, 1000ms}) {
                const auto measured = measure(*device, rate, interval);
                if (!measured) return measured.error();
                print(rate, interval, *measured);
            }
        }
        if (const auto wear = device->wear(); wear && !arguments_.json) {
            std::cout << device->disk() << " says that " << wear->percent_from << " to " << wear->percent_to
                      << " % of its life are used\n";
        }
        return {};
    }

 private:
    /// Brings a new log to where it is for most of its life: what it appends goes into the file of a deleted segment.
    Result<void> delete_a_segment(storage::Log& log) {
        std::mt19937_64 random(1);  // so that compression leaves its size
        while (log.segments().closed().empty()) {
            storage::Record record;
            record.value.emplace(256U << 10U, '\0');
            for (auto& byte : *record.value) byte = static_cast<char>(random());
            storage::BatchBuilder batch;
            batch.add(record);
            if (const auto offset = log.append(batch); !offset) return offset.error();
            if (auto done = log.commit(); !done) return done;
        }
        log.set_finished(log.segments().all().back()->base_offset());
        const auto deleted = storage::delete_finished(files_, log);
        if (!deleted) return deleted.error();
        return log.roll();
    }

    Result<Measured> measure(const BlockDevice& device, int rate, std::chrono::milliseconds interval) {
        std::error_code ignored;
        std::filesystem::remove_all(directory_ + "/log", ignored);
        storage::DiskBudget budget;
        storage::LogOptions options;
        options.compression = storage::Compression::zstd;
        const auto records = static_cast<std::uint64_t>(rate) * static_cast<std::uint64_t>(arguments_.seconds);
        options.segment_bytes = records * kLogBytesPerMessageMax + kBytesOfFirstSegmentMin;
        auto log = storage::Log::open({files_, clock_, budget, {}}, directory_ + "/log", "bench", options);
        if (!log) return log.error();
        if (auto done = delete_a_segment(**log); !done) return done.error();
        Measured measured;
        storage::GroupCommit commit({.commit_interval = interval}, {});
        auto first = commit.append(**log, storage::Record{}).get();
        if (!first) return first.error();
        const auto log_before = (*log)->size_bytes();
        const auto commits_before = commit.counters().commits;
        const auto device_before = bytes_written(device, directory_);
        const auto start = SteadyClock::now();
        for (; measured.records < records; ++measured.records) {
            std::this_thread::sleep_until(
                start + std::chrono::microseconds(measured.records * 1'000'000 / static_cast<std::uint64_t>(rate)));
            storage::Record record;
            record.value = payload(measured.records);
            record.key = "pump-" + std::to_string(measured.records % 20);
            record.timestamp = clock_.now();
            record.headers = {{"mqtt.topic", "plant/" + *record.key + "/telemetry"}, {"mqtt.qos", "1"}};
            measured.payload_bytes += record.value->size();
            commit.append(**log, record, [](const Result<storage::Offset>&) {});
        }
        auto last = commit.append(**log, storage::Record{}).get();
        if (!last) return last.error();
        const auto device_after = bytes_written(device, directory_);
        measured.commits = commit.counters().commits - commits_before;
        measured.log_bytes = (*log)->size_bytes() - log_before;
        measured.device_bytes = device_after - device_before;
        commit.stop();
        return measured;
    }

    void print(int rate, std::chrono::milliseconds interval, const Measured& measured) const {
        const auto per_payload = [&](std::uint64_t bytes) {
            return static_cast<double>(bytes) / static_cast<double>(measured.payload_bytes);
        };
        if (arguments_.json) {
            const nlohmann::ordered_json line = {{"messages_per_second", rate},
                                                 {"commit_interval_ms", interval.count()},
                                                 {"payload_bytes", measured.payload_bytes},
                                                 {"log_bytes", measured.log_bytes},
                                                 {"device_bytes", measured.device_bytes},
                                                 {"commits", measured.commits},
                                                 {"device_bytes_per_payload_byte", per_payload(measured.device_bytes)}};
            std::cout << line.dump() << std::endl;
            return;
        }
        std::cout << std::setw(10) << rate << std::setw(17) << format_duration(interval) << std::setw(16)
                  << measured.payload_bytes / measured.records << std::fixed << std::setprecision(2) << std::setw(15)
                  << per_payload(measured.log_bytes) << std::setw(19) << per_payload(measured.device_bytes)
                  << std::setw(12) << std::setprecision(1) << static_cast<double>(measured.commits) / arguments_.seconds
                  << std::endl;
    }

    const BenchArguments& arguments_;
    const std::string directory_;
    storage::PosixFileSystem files_;
    storage::SystemClock clock_;
};

}  // namespace

int bench_command(const BenchArguments& arguments) {
    if (auto done = FlashBench(arguments).run(); !done) {
        std::cerr << done.error().message() << '\n';
        return kExitFailure;
    }
    return kExitSuccess;
}

}  // namespace sluice::agent
