#include "storage/spare_segment.hpp"

#include "storage/retention.hpp"
#include "storage/verify.hpp"
#include "tests/support/fault_file_system.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;

namespace {

/// A log that has filled segments, all of them forwarded.
struct SpareRig {
    SpareRig() : log(options()) { fill(0, 20); }
    static LogOptions options() {
        LogOptions options;
        options.segment_bytes = 1000;
        options.compression = Compression::none;
        options.tail_cache_bytes = 0;
        return options;
    }
    void fill(int from, int to) {
        for (int i = from; i < to; ++i) log.append("value-" + std::to_string(i) + std::string(100, 'x'));
    }
    void delete_finished_segments() {
        log->set_finished(log->high_watermark());
        CHECK(must(delete_finished(files, *log)));
    }
    [[nodiscard]] bool has_spare() const { return std::filesystem::exists(log.directory() + "/spare"); }
    [[nodiscard]] std::string active() { return log->segments().all().back()->path(); }

    PosixFileSystem files;
    TestLog log;
};

std::uint64_t inode_of(const std::string& path) {
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    return info.st_ino;
}

/// A full disk whose directory has no room for one more name.
struct NoNewNames final : FaultFileSystem {
    NoNewNames() : FaultFileSystem(faults) {}
    Result<void> rename(const std::string& from, const std::string& to) override {
        return full ? Error::from_errno(ENOSPC, "rename", from) : FaultFileSystem::rename(from, to);
    }
    Faults faults;
    bool full = false;
};

}  // namespace

TEST_CASE("spare segment: where a full disk has no room for its name, the deleted segment makes room all the same") {
    NoNewNames files;
    TestLog log(SpareRig::options(), &files);
    for (int i = 0; i < 20; ++i) log.append("value-" + std::to_string(i) + std::string(100, 'x'));
    const auto first = log->segments().all().front()->path();
    log->set_finished(log->high_watermark());
    files.full = true;
    CHECK(must(delete_finished(files, *log)));
    CHECK_FALSE(std::filesystem::exists(first));
    CHECK_FALSE(std::filesystem::exists(log->directory() + "/spare"));
    CHECK(log->segments().all().size() == 1);
}

TEST_CASE("spare segment: the file of a deleted segment becomes the next one") {
    SpareRig rig;
    rig.delete_finished_segments();
    REQUIRE(rig.has_spare());
    const auto inode = inode_of(rig.log.directory() + "/spare");
    must(rig.log->roll());
    CHECK_FALSE(rig.has_spare());
    CHECK(inode_of(rig.active()) == inode);
    const auto start = rig.log->log_end_offset().value();
    rig.fill(20, 23);
    SUBCASE("a reader sees only what is new") {
        CHECK(rig.log.values(start).size() == 3);
    }
    SUBCASE("a clean stop leaves nothing of the old one") {
        must(rig.log->close());
        rig.log.kill();
        CHECK(must(verify_log(rig.files, rig.log.directory(), [](const Finding& finding) {
                  FAIL(finding.what);
              })).faults == 0);
        rig.log.open();
        CHECK(rig.log.values(start).size() == 3);
    }
    SUBCASE("after a kill recovery ends where the new ends") {
        rig.log.kill();
        rig.log.open();
        CHECK(rig.log->log_end_offset() == Offset(start + 3));
        CHECK(rig.log.values(start).size() == 3);
        CHECK(rig.log.gaps.empty());
    }
}

TEST_CASE("spare segment: a file that somebody reads is not written over") {
    SpareRig rig;
    const auto first = rig.log->segments().all().front();
    const auto in_use = must(first->open());
    rig.log->set_finished(*first->next_base());
    CHECK(must(delete_finished(rig.files, *rig.log)));
    CHECK_FALSE(rig.has_spare());
    std::vector<std::byte> bytes(100);
    CHECK(must(in_use->read_at(FilePosition(0), bytes)) == 100);
}

TEST_CASE("spare segment: one that a process left behind is removed, and its bytes are given back when it goes") {
    SpareRig rig;
    rig.delete_finished_segments();
    REQUIRE(rig.has_spare());
    rig.log.kill();
    rig.log.open();
    CHECK_FALSE(rig.has_spare());
    rig.fill(20, 40);
    rig.delete_finished_segments();
    REQUIRE(rig.has_spare());
    CHECK(must(rig.log->drop_spare()));
    CHECK_FALSE(rig.has_spare());
    CHECK_FALSE(must(rig.log->drop_spare()));
}
