// support.hpp: a data directory with a log of telemetry in it, as an agent leaves it.
#pragma once

#include "storage/log_dir.hpp"
#include "tests/support/log_builder.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace sluice::test {

inline constexpr std::int64_t kBeginMs = 1'700'000'000'000;

inline storage::Record measured(const std::string& key, std::int64_t at_ms, const std::string& json) {
    auto made = record(json, key);
    made.timestamp = storage::Timestamp(std::chrono::milliseconds(at_ms));
    return made;
}

/// The stream "telemetry" below `data`: one batch for each element, in segments of `segment_bytes`.
class DataDir {
 public:
    explicit DataDir(std::uint64_t segment_bytes = 16U << 20U) {
        options_.segment_bytes = segment_bytes;
        open("telemetry");
    }
    void open(const std::string& stream) {
        if (log_ != nullptr) close();
        const auto directory = storage::stream_directory(path(), stream);
        std::filesystem::create_directories(std::filesystem::path(directory).parent_path());
        log_ = must(storage::Log::open({files, clock_, budget_, {}}, directory, stream, options_));
    }
    void append(const std::vector<storage::Record>& records) {
        storage::BatchBuilder batch;
        for (const auto& each : records) batch.add(each);
        must(log_->append(batch));
        must(log_->commit());
    }
    /// A clean stop.
    void close() {
        must(log_->close());
        log_.reset();
    }
    [[nodiscard]] storage::Log& log() { return *log_; }
    [[nodiscard]] std::string path() const { return dir_ / "data"; }

    storage::PosixFileSystem files;

 private:
    TempDir dir_;
    TestClock clock_;
    storage::DiskBudget budget_{storage::DiskBudget::kUnlimited};
    storage::LogOptions options_;
    std::unique_ptr<storage::Log> log_;
};

}  // namespace sluice::test
