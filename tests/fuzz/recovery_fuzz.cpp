// Any bytes as the files of a log: it opens, serves what is intact, takes appends, verifies, and opens again.
// The input: the length of the segment (2 bytes), the segment, and the rest half for each index.
#include "storage/log.hpp"
#include "storage/log_reader.hpp"
#include "storage/retention.hpp"
#include "storage/verify.hpp"
#include "tests/support/sim_file_system.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

using namespace sluice;
using namespace sluice::storage;

namespace {

const std::string kDirectory = "/data/log/s-0";

void put(FileSystem& files, std::string_view suffix, Offset base, std::span<const std::byte> bytes) {
    auto file = files.open(kDirectory + "/" + segment_file_name(base, suffix), OpenMode::create);
    if (!file || !(*file)->write_at(FilePosition(0), bytes)) __builtin_trap();
}

std::int64_t count(const Log& log) {
    std::int64_t records = 0;
    Offset at_least(0);
    LogReader reader(log, Offset(0));
    for (;;) {
        const auto batch = reader.next();
        if (!batch) __builtin_trap();
        if (!*batch) return records;
        for (const auto& record : (*batch)->records()) {
            if (record.offset < at_least) __builtin_trap();
            at_least = record.offset + 1;
            ++records;
        }
    }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const auto all = std::as_bytes(std::span(data, size));
    const auto segment_bytes = std::min<std::size_t>(size - 2, static_cast<std::size_t>(data[0]) * 256 + data[1]);
    const auto indexes = all.subspan(2 + segment_bytes);
    test::SimFileSystem files(1);
    SystemClock clock;
    DiskBudget budget;
    if (!files.make_directories(kDirectory)) return 0;
    // Once as the active segment and once as a closed one.
    const Offset base(0);
    for (const auto at : {base, Offset(1'000'000)}) {
        put(files, kLogSuffix, at, all.subspan(2, segment_bytes));
        put(files, kIndexSuffix, at, indexes.first(indexes.size() / 2));
        put(files, kTimeIndexSuffix, at, indexes.subspan(indexes.size() / 2));
    }
    LogOptions options;
    options.tail_cache_bytes = 0;
    std::int64_t before = 0;
    {
        auto log = Log::open({files, clock, budget, {}}, kDirectory, "s", options);
        if (!log) __builtin_trap();
        before = count(**log);
        static_cast<void>((*log)->offset_for(Timestamp(std::chrono::milliseconds(1'700'000'000'000))));
        BatchBuilder batch;
        Record record;
        record.key = "k";
        batch.add(record);
        const auto offset = (*log)->append(batch);
        if (!offset) return 0;  // the fuzzer found the end of all offsets
        if (!(*log)->commit() || count(**log) != before + 1) __builtin_trap();
    }
    if (!verify_log(files, kDirectory, {})) __builtin_trap();
    auto again = Log::open({files, clock, budget, {}}, kDirectory, "s", options);
    if (!again || count(**again) != before + 1) __builtin_trap();
    return 0;
}
