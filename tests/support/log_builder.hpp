// log_builder.hpp: records, logs and bytes for the tests of the storage layer.
#pragma once

#include "storage/log.hpp"
#include "storage/log_id_file.hpp"
#include "storage/log_reader.hpp"
#include "storage/verify.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_clock.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::test {

inline storage::Record record(std::string value, std::optional<std::string> key = "k") {
    storage::Record made;
    made.key = std::move(key);
    made.value = std::move(value);
    made.timestamp = storage::Timestamp(std::chrono::milliseconds(1'700'000'000'123));
    return made;
}

/// Unwraps a result, failing the test with its message where it is an error.
template <class T>
T must(storage::Result<T> result) {
    if (!result) FAIL(result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// Not compressed, so that a test knows how long they are, and read from the files.
inline storage::LogOptions small_segments(std::uint64_t bytes) {
    storage::LogOptions options;
    options.segment_bytes = bytes;
    options.compression = storage::Compression::none;
    options.tail_cache_bytes = 0;
    return options;
}

inline const auto kNeverGiveUp = [](std::size_t) { return true; };

/// A log in a directory of the test's own, that can be closed, dropped as a kill would, and opened again.
class TestLog {
 public:
    explicit TestLog(storage::LogOptions log_options = {}, storage::FileSystem* file_system = nullptr)
        : options(log_options), files_(file_system != nullptr ? file_system : &posix_) {
        open();
    }

    storage::Log& operator*() { return *log_; }
    storage::Log* operator->() { return log_.get(); }

    [[nodiscard]] storage::Result<void> try_open() {
        log_.reset();
        budget_.emplace(quota_bytes);
        auto opened = storage::Log::open({*files_, clock, *budget_, [this](const storage::Gap& gap) { take(gap); }},
                                         directory(), "s", options, finished_of);
        if (!opened) return opened.error();
        log_ = std::move(*opened);
        return {};
    }
    void open() { must(try_open()); }
    void kill() { log_.reset(); }

    void append(const std::string& value) {
        must(append_only({record(value)}));
        must(log_->commit());
    }
    /// As one batch, without a commit.
    [[nodiscard]] storage::Result<storage::Offset> append_only(const std::vector<storage::Record>& records) {
        storage::BatchBuilder batch;
        for (const auto& each : records) batch.add(each);
        return log_->append(batch);
    }
    void append_batch(const std::vector<std::string>& values) {
        std::vector<storage::Record> records;
        for (const auto& value : values) records.push_back(record(value));
        must(append_only(records));
        must(log_->commit());
    }

    /// All values that a reader sees from `from` on.
    [[nodiscard]] std::vector<std::string> values(std::int64_t from = 0) const {
        std::vector<std::string> found;
        storage::LogReader reader(*log_, storage::Offset(from));
        for (;;) {
            auto batch = must(reader.next());
            if (!batch) return found;
            for (const auto& r : batch->records()) found.emplace_back(r.value.value_or("(null)"));
        }
    }

    /// As it is stored.
    [[nodiscard]] storage::RecoveryPoint point() {
        const auto marks = must(storage::load_batch_marks(*files_, directory()));
        return must(storage::load_recovery_point(*files_, directory(), marks.id()));
    }

    [[nodiscard]] std::string directory() const { return dir / "s-0"; }
    [[nodiscard]] std::string segment(std::int64_t base, std::string_view suffix = storage::kLogSuffix) const {
        return directory() + "/" + storage::segment_file_name(storage::Offset(base), suffix);
    }

    TempDir dir;
    TestClock clock;
    storage::LogOptions options;
    std::vector<storage::Gap> gaps;
    bool tells = true;  ///< what is reported is durable at once
    std::uint64_t quota_bytes = storage::DiskBudget::kUnlimited;
    storage::FinishedOf finished_of;

 private:
    void take(const storage::Gap& gap) {
        gaps.push_back(gap);
        if (gap.told && tells) gap.told();
    }

    storage::PosixFileSystem posix_;
    storage::FileSystem* files_;
    std::optional<storage::DiskBudget> budget_;
    std::unique_ptr<storage::Log> log_;
};

/// What `sluice log verify` finds.
inline std::uint64_t count_faults(const TestLog& log) {
    storage::PosixFileSystem files;
    return must(storage::verify_log(files, log.directory(), {})).faults;
}

inline std::string read_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace sluice::test
