// log_bench: what the log does on this machine. Run by ./dev bench log.
//
//   log_bench DIR [--gigabytes N]     DIR is on the file system to measure; N of log to open after a kill [10]
#include "storage/compaction.hpp"
#include "storage/group_commit.hpp"
#include "storage/log.hpp"
#include "storage/log_dir.hpp"
#include "storage/log_reader.hpp"
#include "tests/bench/figure.hpp"
#include "tests/bench/raw_disk.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

std::atomic<std::uint64_t> allocations{0};

}  // namespace

void* operator new(std::size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
    std::free(memory);
}

namespace {

using namespace sluice::bench;
using namespace sluice::storage;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kRecordBytes = 200;

double seconds_since(SteadyClock::time_point start) {
    return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

double cpu_seconds(int who) {
    rusage usage{};
    getrusage(who, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/// A directory that is gone at the end.
struct Scratch {
    explicit Scratch(const std::string& parent) : path(parent + "/log-bench") { std::filesystem::remove_all(path); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { std::filesystem::remove_all(path); }
    std::string path;
};

/// A reading of 200 bytes, key and framing not counted, as compressible as telemetry is.
std::string reading(std::uint64_t number) {
    auto noise = number * 0x9E3779B97F4A7C15U;
    std::string value = "{\"device\":\"device-" + std::to_string(number % 20) + "\",\"seq\":" + std::to_string(number) +
                        ",\"ts\":" + std::to_string(1'700'000'000'000U + number) + ",\"samples\":[";
    while (value.size() < kRecordBytes - 2) {
        noise ^= noise >> 29U;
        noise *= 0xBF58476D1CE4E5B9U;
        value += std::to_string(noise % 10'000) + ',';
    }
    value.resize(kRecordBytes - 2);
    return value + "]}";
}

struct Readings {
    explicit Readings(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) values.push_back(reading(i));
        for (std::size_t i = 0; i < 1000; ++i) keys.push_back("device-" + std::to_string(i));
    }
    [[nodiscard]] RecordView at(std::size_t i) const {
        RecordView record;
        record.key = keys[i % keys.size()];
        record.value = values[i % values.size()];
        record.timestamp = Timestamp(std::chrono::milliseconds(1'700'000'000'000 + static_cast<std::int64_t>(i)));
        return record;
    }
    std::vector<std::string> values;
    std::vector<std::string> keys;
};

struct OneLog {
    OneLog(const std::string& path, LogOptions options, bool keep = false) : keep_(keep), path_(path) {
        if (!keep_) std::filesystem::remove_all(path_);
        log = must(Log::open({files, clock, budget, {}}, path_, "bench", options));
    }
    OneLog(const OneLog&) = delete;
    OneLog& operator=(const OneLog&) = delete;
    ~OneLog() {
        log.reset();
        if (!keep_) std::filesystem::remove_all(path_);
    }
    PosixFileSystem files;
    SystemClock clock;
    DiskBudget budget;
    std::unique_ptr<Log> log;

 private:
    bool keep_;
    std::string path_;
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

constexpr int kProducers = 64;

/// 64 threads, each with some hundreds of records on their way. @return the seconds that all of them take
double append_from_all(Log& log, const Readings& readings, std::uint64_t each) {
    static constexpr std::int64_t kWindow = 2000;
    GroupCommit commit({}, {});
    std::vector<std::atomic<std::int64_t>> on_the_way(kProducers);
    const auto start = SteadyClock::now();
    std::vector<std::thread> threads;
    for (int p = 0; p < kProducers; ++p) {
        threads.emplace_back([&, p] {
            auto& mine = on_the_way[static_cast<std::size_t>(p)];
            for (std::uint64_t i = 0; i < each; ++i) {
                while (mine.load(std::memory_order_relaxed) >= kWindow) mine.wait(kWindow);
                ++mine;
                commit.append(log, readings.at(i * kProducers + static_cast<std::uint64_t>(p)),
                              [&mine](const Result<Offset>&) {
                                  if (mine.fetch_sub(1) == kWindow) mine.notify_one();
                              });
            }
        });
    }
    for (auto& thread : threads) thread.join();
    commit.stop();
    return seconds_since(start);
}

/// In turns with the bare disk, as a disk's speed is not the same from one minute to the next: the median of each.
void durable_appends(const std::string& path, const Readings& readings, Compression compression, const char* codec) {
    constexpr int kRounds = 3;
    constexpr std::uint64_t kEach = 20'000;
    constexpr double kRecords = kProducers * kEach;
    LogOptions options;
    options.compression = compression;
    options.segment_bytes = 64U << 20U;
    const sluice::bench::RawDisk disk(path + ".raw", 1U << 20U, 128U << 20U);
    std::vector<double> rates;
    std::vector<double> allowances;
    for (int round = 0; round < kRounds; ++round) {
        const auto raw = disk.bytes_per_second();
        OneLog one(path, options);
        rates.push_back(kRecords / append_from_all(*one.log, readings, kEach));
        allowances.push_back(raw * kRecords / static_cast<double>(one.log->size_bytes()));
    }
    const double rate = median(rates);
    const double allowed = median(allowances);
    const bool disk_is_the_limit = 0.9 * allowed < 1e6;
    say({std::string("durable appends, 64 producers, ") + codec, rate, "records/s", allowed, rate / allowed,
         disk_is_the_limit ? "0.9 of the disk" : "1,000,000/s",
         disk_is_the_limit ? rate >= 0.9 * allowed : rate >= 1e6});
}

void append_cpu(const std::string& path, const Readings& readings, Compression compression, const char* codec,
                bool goal) {
    constexpr std::uint64_t kRecords = 2'000'000;
    LogOptions options;
    options.compression = compression;
    options.durability = Durability::flush;
    options.segment_bytes = 256U << 20U;
    OneLog one(path, options);
    GroupCommit commit({}, {});
    const auto run = [&](std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) commit.append(*one.log, readings.at(i), [](const Result<Offset>&) {});
        commit.append(*one.log, Record{}).get();
    };
    run(kRecords / 4);  // the buffers have their size then
    const auto allocated = allocations.load();
    const auto cpu = cpu_seconds(RUSAGE_SELF);
    run(kRecords);
    const double nanoseconds = (cpu_seconds(RUSAGE_SELF) - cpu) * 1e9 / kRecords;
    const double each = static_cast<double>(allocations.load() - allocated) / kRecords;
    say({std::string("append path, CPU of all threads, ") + codec,
         nanoseconds,
         "ns/record",
         {},
         {},
         goal ? "< 300" : "",
         goal ? std::optional(nanoseconds < 300) : std::nullopt});
    say({std::string("  allocations, ") + codec, each, "/record", {}, {}, "< 0.01", each < 0.01});
}

void fill(Log& log, const Readings& readings, std::uint64_t records, std::uint64_t batch_records) {
    BatchBuilder batch;
    for (std::uint64_t i = 0; i < records; ++i) {
        batch.add(readings.at(i));
        if (static_cast<std::uint64_t>(batch.record_count()) < batch_records && i + 1 < records) continue;
        must(log.append(batch));
        must(log.commit());
        batch.clear();
    }
}

void sequential_read(const std::string& path, const Readings& readings, Compression compression, const char* codec,
                     double goal) {
    constexpr std::uint64_t kRecords = 2'000'000;
    LogOptions options;
    options.compression = compression;
    options.durability = Durability::flush;
    OneLog one(path, options);
    fill(*one.log, readings, kRecords, 1000);
    const auto start = SteadyClock::now();
    LogReader reader(*one.log, Offset(0));
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    while (auto batch = must(reader.next())) {
        for (const auto& record : batch->records()) bytes += record.value->size();
        records += batch->records().size();
    }
    const double rate = static_cast<double>(records) / seconds_since(start);
    if (bytes == 0) std::exit(1);
    say({std::string("sequential read, ") + codec,
         rate,
         "records/s",
         {},
         {},
         ">= " + std::to_string(static_cast<int>(goal)),
         rate >= goal});
}

/// A child fills the log and is gone without a word, as after kill -9.
void fill_and_die(const std::string& path, const Readings& readings, const LogOptions& options, std::uint64_t bytes) {
    const auto child = ::fork();
    if (child == 0) {
        PosixFileSystem files;
        SystemClock clock;
        DiskBudget budget;
        auto log = must(Log::open({files, clock, budget, {}}, path, "bench", options));
        while (log->size_bytes() < bytes) fill(*log, readings, 50'000, 1000);
        fill(*log, readings, 3000, 1000);  // whatever was there: something that no index knows
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) std::exit(1);
}

void open_after_kill(const std::string& path, const Readings& readings, std::uint64_t gigabytes) {
    LogOptions options;
    options.compression = Compression::none;
    options.durability = Durability::fsync;
    double baseline = 0;
    for (const auto size : {std::uint64_t{10} << 20U, gigabytes << 30U}) {
        std::filesystem::remove_all(path);
        std::vector<double> times;
        for (int i = 0; i < 5; ++i) {
            fill_and_die(path, readings, options, size);  // but for the first time only a little
            const auto start = SteadyClock::now();
            OneLog one(path, options, true);
            times.push_back(seconds_since(start) * 1000);
        }
        const auto time = median(times);
        if (baseline == 0) {
            baseline = time;  // 10 MiB
            continue;
        }
        say({"open after a kill, " + std::to_string(gigabytes) + " GiB (baseline: 10 MiB)", time, "ms", baseline,
             time / baseline, "< 100", time < 100});
    }
    std::filesystem::remove_all(path);
}

void compaction(const std::string& path, const Readings& readings) {
    constexpr std::uint64_t kKeys = 500'000;
    LogOptions options;
    options.compression = Compression::none;
    options.durability = Durability::flush;
    options.cleanup = Cleanup::compact;
    options.hold_until_forwarded = false;
    options.tail_cache_bytes = 0;
    OneLog one(path, options);
    BatchBuilder batch;
    std::string key;
    for (std::uint64_t i = 0; i < 2 * kKeys; ++i) {
        auto record = readings.at(i);
        key = "device-" + std::to_string((i * 7919) % kKeys);
        record.key = key;
        batch.add(record);
        if (batch.record_count() < 1000) continue;
        must(one.log->append(batch));
        must(one.log->commit());
        batch.clear();
    }
    must(one.log->roll());
    const auto size = static_cast<double>(one.log->size_bytes());
    ::malloc_trim(0);
    const auto in_use = [] {
        const auto info = ::mallinfo2();
        return info.uordblks + info.hblkhd;
    };
    const auto before = in_use();
    std::size_t most = before;
    const auto start = SteadyClock::now();
    const auto result = must(compact(one.files, *one.log, one.clock, {}, [&](std::size_t) {
        most = std::max(most, in_use());
        return true;
    }));
    const double seconds = seconds_since(start);
    const double rate = size / seconds / 1e6;
    say({"compaction, 1,000,000 records, 500,000 keys", rate, "MB/s", {}, {}, "> 100", rate > 100});
    const double mebibytes = static_cast<double>(most - before) / (1U << 20U);
    say({"  memory, all keys in one pass", mebibytes, "MiB", {}, {}, "< 16", mebibytes < 16 && !result.more});
}

void idle_memory(const std::string& path, const Readings& readings) {
    LogOptions options;
    options.compression = Compression::none;
    options.durability = Durability::flush;
    options.segment_bytes = 64U << 10U;
    {
        OneLog one(path, options, true);
        while (one.log->segments().all().size() < 1000) fill(*one.log, readings, 1000, 100);
        must(one.log->close());
    }
    ::malloc_trim(0);
    const auto before = ::mallinfo2().uordblks;
    OneLog one(path, options, true);
    const double mebibytes = static_cast<double>(::mallinfo2().uordblks - before) / (1U << 20U);
    say({"idle log of 1,000 segments", mebibytes, "MiB", {}, {}, "< 2", mebibytes < 2});
    std::filesystem::remove_all(path);
}

int run(int argc, char** argv) {
    if (argc < 2) return 2;
    std::uint64_t gigabytes = 10;
    for (int i = 2; i + 1 < argc; i += 2) {
        if (std::string(argv[i]) == "--gigabytes") gigabytes = std::strtoull(argv[i + 1], nullptr, 10);
    }
    const Scratch scratch(argv[1]);
    const Readings readings(20'000);
    const auto& path = scratch.path;
    durable_appends(path, readings, Compression::none, "uncompressed");
    durable_appends(path, readings, Compression::lz4, "lz4");
    append_cpu(path, readings, Compression::none, "uncompressed", true);
    append_cpu(path, readings, Compression::lz4, "lz4", false);
    append_cpu(path, readings, Compression::zstd, "zstd", false);
    sequential_read(path, readings, Compression::none, "uncompressed", 2e6);
    sequential_read(path, readings, Compression::lz4, "lz4", 1e6);
    sequential_read(path, readings, Compression::zstd, "zstd", 1e6);
    compaction(path, readings);
    idle_memory(path, readings);
    open_after_kill(path, readings, gigabytes);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run(argc, argv);
}
