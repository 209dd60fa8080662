// Durability "flush": how much of a large segment is read when it is opened after a kill.
#include "tests/support/fault_file_system.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;

TEST_CASE("flush: opening after a kill reads the last 16 MiB of a segment, however large it is") {
    Faults faults;
    FaultFileSystem files(faults);
    LogOptions options;
    options.durability = Durability::flush;
    options.compression = Compression::none;
    options.segment_bytes = 1U << 30U;
    TestLog log(options, &files);
    const std::vector<std::string> values(1000, std::string(200, 'v'));
    log.append_batch(values);  // and a new recovery point
    const int syncs = faults.syncs;
    while (log->size_bytes() < 40U << 20U) log.append_batch(values);
    CHECK(faults.syncs - syncs == 2);  // one each 16 MiB
    const auto end = log->log_end_offset();
    log.kill();
    faults.unreadable_from = 1U << 20U;
    faults.unreadable_to = 31U << 20U;
    log.open();
    CHECK(log->log_end_offset() == end);
    CHECK(log.gaps.empty());
}
