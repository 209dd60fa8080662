// bench_tool: what a benchmark needs beside the agent: a full log, a bare producer, the disk's own sync latency.
//
//   bench_tool fill DATA_DIR COUNT BATCH       a stream "telemetry" with COUNT records, BATCH of them a batch
//   bench_tool produce BROKERS TOPIC COUNT [N] the same records through a bare librdkafka producer, with N in
//                                              transactions of so many: seconds, and CPU seconds
//   bench_tool sync DIR COUNT                  an fdatasync after each 4 KiB write: p50 and p99, microseconds
#include "bridge/kafka/kafka_config.hpp"
#include "storage/group_commit.hpp"
#include "storage/log_dir.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;
using sluice::storage::Record;

constexpr std::size_t kValueBytes = 200;
constexpr int kDevices = 20;

double seconds_since(SteadyClock::time_point start) {
    return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

/// A reading of a device, as compressible as telemetry is: names repeat, digits don't.
Record reading(std::uint64_t number) {
    const auto device = "device-" + std::to_string(number % kDevices);
    auto noise = number * 0x9E3779B97F4A7C15U;
    std::string value = "{\"device\":\"" + device + "\",\"seq\":" + std::to_string(number) +
                        ",\"ts\":" + std::to_string(1'700'000'000'000U + number) + ",\"samples\":[";
    while (value.size() < kValueBytes - 2) {
        noise ^= noise >> 29U;
        noise *= 0xBF58476D1CE4E5B9U;
        value += std::to_string(noise % 10'000) + ',';
    }
    value.resize(kValueBytes - 2);
    value += "]}";
    Record record;
    record.key = device;
    record.value = std::move(value);
    record.timestamp = sluice::storage::Timestamp(std::chrono::milliseconds(1'700'000'000'000 + number));
    record.headers = {{"mqtt.topic", "plant/" + device + "/telemetry"}, {"mqtt.qos", "1"}, {"mqtt.retain", "false"}};
    return record;
}

int fail(const std::string& what) {
    std::cerr << "bench_tool: " << what << '\n';
    return 1;
}

int fill(const std::string& data_dir, std::uint64_t count, std::size_t batch) {
    sluice::storage::PosixFileSystem files;
    sluice::storage::SystemClock clock;
    auto dir = sluice::storage::LogDir::open(files, clock, data_dir);
    if (!dir) return fail(dir.error().message());
    auto log = (*dir)->open_stream("telemetry", {});
    if (!log) return fail(log.error().message());
    sluice::storage::BatchBuilder records;
    for (std::uint64_t number = 0; number < count;) {
        records.clear();
        while (static_cast<std::size_t>(records.record_count()) < batch && number < count) {
            records.add(reading(number++));
        }
        if (auto done = (*log)->append(records); !done) return fail(done.error().message());
    }
    if (auto done = (*log)->commit(); !done) return fail(done.error().message());
    if (auto done = (*dir)->close(); !done) return fail(done.error().message());
    return 0;
}

struct Delivered {
    std::uint64_t count = 0;
    std::uint64_t failed = 0;
};

void on_delivery(rd_kafka_t* /*handle*/, const rd_kafka_message_t* message, void* opaque) {
    auto& delivered = *static_cast<Delivered*>(opaque);
    ++delivered.count;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++delivered.failed;
}

/// As the agent configures it, and nothing between the records and librdkafka.
rd_kafka_t* make_producer(const std::string& brokers, bool transactional, Delivered& delivered) {
    sluice::bridge::kafka::ClusterOptions options;
    options.brokers = brokers;
    options.agent_id = "bench";
    if (transactional) options.delivery = sluice::bridge::kafka::Delivery::exactly_once;
    std::array<char, 512> reason{};
    auto* conf = rd_kafka_conf_new();
    for (const auto& [name, value] : sluice::bridge::kafka::producer_properties(options)) {
        rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size());
    }
    rd_kafka_conf_set_dr_msg_cb(conf, &on_delivery);
    rd_kafka_conf_set_opaque(conf, &delivered);
    return rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size());
}

bool produce_one(rd_kafka_t* producer, rd_kafka_topic_t* topic, const Record& record) {
    auto* headers = rd_kafka_headers_new(record.headers.size());
    for (const auto& header : record.headers) {
        rd_kafka_header_add(headers, header.key.data(), static_cast<ssize_t>(header.key.size()), header.value->data(),
                            static_cast<ssize_t>(header.value->size()));
    }
    for (;;) {
        const auto code =
            rd_kafka_producev(producer, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                              RD_KAFKA_V_KEY(record.key->data(), record.key->size()),
                              RD_KAFKA_V_VALUE(const_cast<char*>(record.value->data()), record.value->size()),
                              RD_KAFKA_V_TIMESTAMP(record.timestamp.time_since_epoch().count()),
                              RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) return false;
        rd_kafka_poll(producer, 10);
    }
}

/// True where the step is done.
bool succeeded(rd_kafka_error_t* error) {
    if (error == nullptr) return true;
    std::cerr << "bench_tool: " << rd_kafka_error_string(error) << '\n';
    rd_kafka_error_destroy(error);
    return false;
}

double cpu_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

int produce(const std::string& brokers, const std::string& topic_name, std::uint64_t count, std::uint64_t size) {
    std::vector<Record> records;  // made before the clock runs
    records.reserve(count);
    for (std::uint64_t number = 0; number < count; ++number) records.push_back(reading(number));
    Delivered delivered;
    const bool transactional = size > 0;
    constexpr int kForever = -1;
    const auto start = SteadyClock::now();
    const auto cpu_start = cpu_seconds();
    auto* producer = make_producer(brokers, transactional, delivered);
    if (producer == nullptr) return fail("no producer");
    if (transactional && !succeeded(rd_kafka_init_transactions(producer, kForever))) return 1;
    auto* topic = rd_kafka_topic_new(producer, topic_name.c_str(), nullptr);
    std::uint64_t sent = 0;
    for (const auto& record : records) {
        if (transactional && sent % size == 0 && !succeeded(rd_kafka_begin_transaction(producer))) return 1;
        if (!produce_one(producer, topic, record)) return fail("produce failed");
        rd_kafka_poll(producer, 0);
        ++sent;
        const bool closes = transactional && (sent % size == 0 || sent == count);
        if (closes && !succeeded(rd_kafka_commit_transaction(producer, kForever))) return 1;
    }
    while (delivered.count < count) rd_kafka_poll(producer, 100);
    std::cout << seconds_since(start) << ' ' << cpu_seconds() - cpu_start << '\n';
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    return delivered.failed == 0 ? 0 : fail(std::to_string(delivered.failed) + " records were not delivered");
}

int sync(const std::string& directory, std::uint64_t count) {
    sluice::storage::PosixFileSystem files;
    auto file = files.open(directory + "/sync", sluice::storage::OpenMode::create);
    if (!file) return fail(file.error().message());
    const std::vector<std::byte> block(4096);
    if (auto done = (*file)->allocate(block.size() * count); !done) return fail(done.error().message());
    if (auto done = (*file)->sync_data(); !done) return fail(done.error().message());
    std::vector<double> micros;
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto start = SteadyClock::now();
        if (auto done = (*file)->write_at(sluice::storage::FilePosition(i * block.size()), block); !done) return 1;
        if (auto done = (*file)->sync_data(); !done) return 1;
        micros.push_back(seconds_since(start) * 1e6);
    }
    std::sort(micros.begin(), micros.end());
    std::cout << micros[micros.size() / 2] << ' ' << micros[micros.size() * 99 / 100] << '\n';
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() == 4 && words[0] == "fill") return fill(words[1], std::stoull(words[2]), std::stoull(words[3]));
    if ((words.size() == 4 || words.size() == 5) && words[0] == "produce") {
        return produce(words[1], words[2], std::stoull(words[3]), words.size() == 5 ? std::stoull(words[4]) : 0);
    }
    if (words.size() == 3 && words[0] == "sync") return sync(words[1], std::stoull(words[2]));
    return fail("usage: bench_tool fill DATA_DIR COUNT BATCH | produce BROKERS TOPIC COUNT [N] | sync DIR COUNT");
}
