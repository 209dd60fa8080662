// query_bench: SQL and curves over the local log. Run by ./dev bench query.
//
//   query_bench DIR [--gigabytes N]     DIR is on the file system to measure; N of a week's log [10]
//
// Rates are of the CPU time of one thread, so that they are of one core whatever else the machine does; times to an
// answer are of the clock. The files are in the page cache, as after a look at the same hour before.
#include "agent/query/curve.hpp"
#include "agent/sql/session.hpp"
#include "storage/log.hpp"
#include "storage/log_dir.hpp"
#include "storage/log_reader.hpp"
#include "tests/bench/figure.hpp"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace sluice;
using namespace sluice::bench;
using namespace sluice::storage;
using SteadyClock = std::chrono::steady_clock;

constexpr std::int64_t kBeginMs = 1'700'000'000'000;
constexpr std::int64_t kDayMs = 86'400'000;
constexpr int kDevices = 500;

double cpu_seconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double median_of(int rounds, const std::function<double()>& measure) {
    std::vector<double> all;
    for (int i = 0; i < rounds; ++i) all.push_back(measure());
    std::sort(all.begin(), all.end());
    return all[all.size() / 2];
}

/// Of times by the clock: others on the machine only add.
double least_of(int rounds, const std::function<double()>& measure) {
    double least = measure();
    for (int i = 1; i < rounds; ++i) least = std::min(least, measure());
    return least;
}

/// A stream's log below DIR/data, gone at the end.
class Filled {
 public:
    Filled(const std::string& parent, const std::string& stream, Compression compression) : path(parent + "/data") {
        std::filesystem::remove_all(path);
        const auto directory = stream_directory(path, stream);
        std::filesystem::create_directories(std::filesystem::path(directory).parent_path());
        LogOptions options;
        options.durability = Durability::flush;
        options.compression = compression;
        log = must(Log::open({files, clock_, budget_, {}}, directory, stream, options));
    }
    Filled(const Filled&) = delete;
    Filled& operator=(const Filled&) = delete;
    ~Filled() {
        log.reset();
        std::filesystem::remove_all(path);
    }
    void add(std::int64_t at_ms, int device, const std::string& value) {
        keys_.resize(kDevices);
        auto& key = keys_[static_cast<std::size_t>(device)];
        if (key.empty()) key = "device-" + std::to_string(device);
        RecordView record;
        record.key = key;
        record.value = value;
        record.timestamp = Timestamp(std::chrono::milliseconds(at_ms));
        batch_.add(record);
        if (batch_.record_count() >= kBatchRecords) write();
    }
    void write() {
        if (batch_.empty()) return;
        must(log->append(batch_));
        must(log->commit());
        batch_.clear();
    }

    const std::string path;
    PosixFileSystem files;
    std::unique_ptr<Log> log;

 private:
    static constexpr int kBatchRecords = 200;
    SystemClock clock_;
    DiskBudget budget_;
    BatchBuilder batch_;
    std::vector<std::string> keys_;
};

/// A reading as devices send it: six fields, of which `temperature` is asked for.
std::string reading(std::int64_t number, std::int64_t at_ms) {
    const auto x = static_cast<std::uint64_t>(number) * 0x9E3779B97F4A7C15U;
    const auto part = [&](unsigned shift, std::uint64_t of) { return std::to_string((x >> shift) % of); };
    return "{\"ts\":" + std::to_string(at_ms) + ",\"temperature\":" + part(40, 90) + "." + part(20, 10) +
           ",\"current\":" + part(30, 400) + "." + part(10, 100) + ",\"vibration\":0." + part(15, 1000) +
           ",\"state\":\"RUN\",\"seq\":" + std::to_string(number) + "}";
}

std::unique_ptr<agent::sql::SqlSession> session_of(Filled& filled) {
    agent::sql::SqlSource source;
    source.data_dir = filled.path;
    return must(agent::sql::SqlSession::open(filled.files, std::move(source)));
}

/// Runs a query. @return wall seconds to the first row
double ask(agent::sql::SqlSession& session, const std::string& sql) {
    const auto start = SteadyClock::now();
    double first = -1;
    agent::sql::SqlSink sink;
    sink.row = [&](auto) {
        if (first < 0) first = std::chrono::duration<double>(SteadyClock::now() - start).count();
        return true;
    };
    agent::sql::SqlDone done;
    agent::sql::SqlLimits limits;
    limits.memory_bytes = 4ULL << 30U;
    if (const auto failure = session.run(sql, limits, sink, done)) {
        std::cerr << "query_bench: " << failure->message << '\n';
        std::exit(1);
    }
    return first;
}

void rates(const std::string& directory) {
    constexpr std::int64_t kRecords = 2'000'000;
    Filled filled(directory, "telemetry", Compression::lz4);
    for (std::int64_t i = 0; i < kRecords; ++i) {
        filled.add(kBeginMs + i, static_cast<int>(i % kDevices), reading(i, kBeginMs + i));
    }
    filled.write();
    const auto per_second = [&](const std::function<void()>& work) {
        return median_of(3, [&] {
            const double start = cpu_seconds();
            work();
            return kRecords / (cpu_seconds() - start);
        });
    };
    const double bare = per_second([&] {
        LogReader reader(*filled.log, Offset(0));
        DecodedBatch memory;
        while (auto batch = must(reader.next(std::move(memory)))) memory = std::move(*batch);
    });
    const auto session = session_of(filled);
    const double count = per_second([&] { ask(*session, "select count(*) from telemetry"); });
    say({"count(*), beside a reader that decodes all", count, "records/s", bare, count / bare, ">= 1000000 records/s",
         count >= 1e6});
    const double sqlite =
        per_second([&] { ask(*session, "select avg(json_extract(value, '$.temperature')) from telemetry"); });
    const double ours = per_second([&] { ask(*session, "select avg(value ->> '$.temperature') from telemetry"); });
    say({"avg of a JSON field, beside SQLite's json_extract", ours, "records/s", sqlite, ours / sqlite,
         ">= 1000000 records/s", ours >= 1e6});
    const double grouped =
        per_second([&] { ask(*session, "select key, max(value ->> '$.temperature') from telemetry group by key"); });
    say({"max of a JSON field by key, of 500 keys", grouped, "records/s", bare, grouped / bare, "", {}});
}

void hour_of_a_week(const std::string& directory, std::uint64_t gigabytes) {
    Filled filled(directory, "telemetry", Compression::none);
    constexpr std::int64_t kWeekMs = 7 * kDayMs;
    const std::string pad(100, 'x');
    const auto bytes = gigabytes * 1'000'000'000U;
    const std::int64_t records = static_cast<std::int64_t>(bytes / 240);
    for (std::int64_t i = 0; i < records; ++i) {
        const auto at =
            kBeginMs + static_cast<std::int64_t>(static_cast<double>(i) / static_cast<double>(records) * kWeekMs);
        filled.add(at, static_cast<int>(i % kDevices), reading(i, at).substr(0, 110) + pad);
    }
    filled.write();
    const auto session = session_of(filled);
    const auto query = [](int hour) {
        const auto from = kBeginMs + hour * std::int64_t{3'600'000};
        return "select * from telemetry where timestamp >= " + std::to_string(from) + " and timestamp < " +
               std::to_string(from + 3'600'000) + " limit 1";
    };
    double worst = 0;
    for (const int hour : {1, 84, 100, 166}) {
        ask(*session, query(hour));
        worst = std::max(worst, least_of(5, [&] { return ask(*session, query(hour)); }));
    }
    say({"one hour of a week, first row: segments",
         static_cast<double>(filled.log->segments().all().size()),
         "",
         {},
         {},
         "",
         {}});
    say({"one hour of a week of " + std::to_string(filled.log->size_bytes() / 1'000'000) + " MB, to the first row",
         worst * 1000,
         "ms",
         {},
         {},
         "< 50 ms",
         worst < 0.05});
}

/// @param others_ms  how often the other devices send
void curve(const std::string& directory, std::int64_t others_ms, const std::string& name, bool has_goal) {
    Filled filled(directory, "telemetry", Compression::lz4);
    std::int64_t records = 0;
    for (std::int64_t at = 0; at < kDayMs; at += 1000) {
        for (int device = 0; device < kDevices; ++device) {
            const bool sends = device == 7 || (at + device * 1000) % others_ms == 0;
            if (!sends) continue;
            filled.add(kBeginMs + at, device,
                       device == 7 && at == 40'000'000 ? R"({"temperature":4711})" : reading(records, kBeginMs + at));
            ++records;
        }
    }
    filled.write();
    agent::query::CurveRequest request;
    request.data_dir = filled.path;
    request.stream = "telemetry";
    request.key = "device-7";
    request.pointer = "/temperature";
    request.from = Timestamp(std::chrono::milliseconds(kBeginMs));
    request.to = Timestamp(std::chrono::milliseconds(kBeginMs + kDayMs - 1));
    request.points_max = 1600;
    bool right = true;
    const double seconds = least_of(5, [&] {
        const auto start = SteadyClock::now();
        const auto drawn = must(agent::query::read_curve(filled.files, request));
        right = right && drawn.found == 86'400 &&
                std::any_of(drawn.points.begin(), drawn.points.end(),
                            [](const auto& point) { return point.value == 4711; });
        return std::chrono::duration<double>(SteadyClock::now() - start).count();
    });
    if (!right) {
        std::cerr << "query_bench: the curve has lost its peak, or points\n";
        std::exit(1);
    }
    const auto goal = has_goal ? std::optional(seconds < 0.3) : std::nullopt;
    say({name + ", of " + std::to_string(records) + " records",
         seconds * 1000,
         "ms",
         {},
         {},
         has_goal ? "< 300 ms" : "",
         goal});
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.size() != 1 && (arguments.size() != 3 || arguments[1] != "--gigabytes")) {
        std::cerr << "query_bench DIR [--gigabytes N]\n";
        return 2;
    }
    rates(arguments[0]);
    curve(arguments[0], 60'000, "curve of a day, 86,400 points, 499 devices once a minute beside it", true);
    curve(arguments[0], 1000, "curve of a day, 86,400 points, 499 devices once a second beside it", false);
    hour_of_a_week(arguments[0], arguments.size() == 3 ? std::stoull(arguments[2]) : 10);
    return 0;
}
