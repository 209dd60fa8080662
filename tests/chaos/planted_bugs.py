#!/usr/bin/env python3
"""Shows that the simulations find bugs: builds the log with one bug at a time, and expects log_sim or commit_sim to fail.

    planted_bugs.py BUILD_DIR [--seeds N] [--only NAME]

Each bug is a piece of the source and what takes its place. A piece that is not found fails too: then the source has
moved on, and the bug has to be planted anew. BUILD_DIR is a configured build; nothing in it or in the source changes.
"""
import argparse
import concurrent.futures
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from chaos.planted import commands_of, mutant_object  # noqa: E402

PROGRAMS = {
    "log_sim": ("tests/chaos/log_sim.cpp", "tests/chaos/log_model.cpp"),
    "commit_sim": ("tests/chaos/commit_sim.cpp",),
}

# In group commit. name: file, piece, what takes its place, what goes wrong
COMMIT_BUGS = {
    "answer-before-the-commit": (
        "storage/group_commit.cpp",
        "        if (auto done = lane.log->commit(); !done) {\n            fail(",
        "        for (std::size_t i = 0; i < written; ++i) {\n"
        "            complete(*lane.taken[i], lane.first_offsets[i]);\n"
        "            lane.taken[i]->completions.clear();\n        }\n"
        "        if (auto done = lane.log->commit(); !done) {\n            fail(",
        "the acknowledgement goes out before the sync"),
    "write-after-a-failed-sync": (
        "storage/log.cpp",
        "            failed_ = true;\n            return done;",
        "            return done;",
        "the log takes writes after a sync that failed"),
    "forget-what-found-no-space": (
        "storage/group_commit.cpp",
        "lane.taken.erase(lane.taken.begin(), lane.taken.begin() + static_cast<std::ptrdiff_t>(written));",
        "lane.taken.clear();",
        "what waits for space is forgotten, and never answered"),
    "answer-what-waits": (
        "storage/group_commit.cpp",
        "    if (lane.no_space && lane.log->options().on_full == OnFull::drop_newest) drop(lane);",
        "    if (lane.no_space) drop(lane);",
        "what should wait for space is acknowledged and dropped"),
    "drop-in-silence": (
        "storage/group_commit.cpp",
        "    if (lane.dropped > 0 && std::chrono::steady_clock::now() >= lane.report_at) {",
        "    if (lane.dropped < 0) {",
        "what is dropped is reported only when there is space again"),
    "off-by-one-in-a-batch": (
        "storage/group_commit.cpp",
        "done(first ? Result<Offset>(*first + i++) : first);",
        "done(first ? Result<Offset>(*first + ++i) : first);",
        "records are told the offset of the next one"),
}

# In the log. name: file, piece, what takes its place, what goes wrong
BUGS = {
    "skip-the-sync": (
        "storage/segment_writer.cpp",
        "    if (auto done = file_->sync_data(); !done) return done;\n    if (bytes_since_index()",
        "    if (bytes_since_index()",
        "a commit doesn't sync"),
    "acknowledge-before-the-sync": (
        "storage/log.cpp",
        "        if (auto done = writer_->sync(); !done) {",
        "        high_watermark_.store(end_.load(), std::memory_order_release);\n        static_cast<void>(writer_->sync());\n"
        "        if (Result<void> done; !done) {",
        "a commit succeeds whatever its sync says"),
    "forget-the-new-segment": (
        "storage/segment_writer.cpp",
        "    if (auto done = files.sync_directory(directory->path); !done) return done.error();\n"
        "    auto segment = std::make_shared<Segment>(files, std::move(directory), SegmentIndex(base_offset)",
        "    auto segment = std::make_shared<Segment>(files, std::move(directory), SegmentIndex(base_offset)",
        "the directory entry of a new segment isn't synced"),
    "forget-the-deletions": (
        "storage/recovery.cpp",
        "    if (auto done = files.sync_directory(directory); !done) return done;\n    auto done = files.rename(",
        "    auto done = files.rename(",
        "the merged segment gets its name before its sources are gone for good"),
    "forget-the-swap": (
        "storage/segment_rewriter.cpp",
        "        if (auto done = files_.sync_directory(directory); !done) return done;\n        const auto alone",
        "        const auto alone",
        "sources are deleted before the swap file is there for good"),
    "believe-the-page-cache": (
        "storage/recovery.cpp",
        "    if (auto done = copy_range(file, from, to, file, from); !done) return done;\n    return file.sync_data();",
        "    static_cast<void>(from), static_cast<void>(to);\n    return file.sync_data();",
        "what a failed sync has left in memory counts as durable after a restart"),
    "skip-the-sync-of-the-cleaner": (
        "storage/segment_rewriter.cpp",
        "        return file_->sync_data();\n    }\n\n private:",
        "        return {};\n    }\n\n private:",
        "the rewritten segment isn't synced before it replaces its sources"),
    "off-by-one-in-compaction": (
        "storage/compaction.cpp",
        "base_ + static_cast<std::int64_t>(*relative) > record.offset;",
        "base_ + static_cast<std::int64_t>(*relative) + 1 > record.offset;",
        "the latest record of a key counts as superseded by itself"),
    "off-by-one-at-the-end-of-the-table": (
        "storage/compaction.cpp",
        "        if (record.key && !table_.put(*record.key, static_cast<std::uint32_t>(relative))) return false;\n"
        "        end_ = record.offset + 1;",
        "        if (record.key && table_.size() > 5 && !table_.find(*record.key)) return false;\n"
        "        end_ = record.offset + 2;\n"
        "        if (record.key && !table_.put(*record.key, static_cast<std::uint32_t>(relative))) return false;",
        "a pass that ends early claims a record that it has not noted"),
    "compact-what-is-not-accepted": (
        "storage/log.cpp",
        "    while (!segments.empty() && segments.back()->next_base().value_or(limit + 1) > limit) segments.pop_back();\n",
        "    static_cast<void>(limit);\n",
        "the cleaner works on segments with records that no commit has accepted"),
    "tombstones-go-at-once": (
        "storage/compaction.cpp",
        "        if (!horizon) return Verdict::keep_until_horizon;",
        "        if (!horizon) return Verdict::leave_out;",
        "a tombstone is dropped by the first pass that meets it"),
    "trust-the-torn-tail": (
        "storage/record_batch.cpp",
        "           crc32c(batch.subspan(kAttributesAt)) == load_big_endian<std::uint32_t>(batch.data() + kCrcAt);\n",
        "           load_big_endian<std::uint32_t>(batch.data() + kCrcAt) != 0;\n",
        "recovery takes a batch of which a part was never written"),
    "reuse-offsets": (
        "storage/log.cpp",
        "        if (auto done = failing(reserve_.cover(batch->header.next_offset())); !done) return done.error();\n",
        "",
        "offsets that were only in memory are handed out again"),
    "trust-the-base-offset": (
        "storage/batch_marks.cpp",
        "    return !without_mark && mark == of(base_offset);",
        "    return true;",
        "a flipped bit in a base offset moves records"),
    "trust-what-looks-like-a-batch": (
        "storage/batch_marks.cpp",
        "    return !without_mark && mark == of(base_offset);",
        "    return !without_mark && (mark == of(base_offset) || mark == plain_mark(base_offset));",
        "a payload that is a batch is taken for one of the log's"),
    "write-over-what-is-read": (
        "storage/spare_segment.cpp",
        "    if (!file || !(*file)->is_open_only_here()) return remove_file(path_, bytes);\n",
        "    if (!file) return remove_file(path_, bytes);\n",
        "a file that somebody still reads becomes the next segment"),
    "believe-what-a-segment-left": (
        "storage/batch_scan.cpp",
        "    if (!header || header->base_offset < at_least || header->size_bytes > end - at) {",
        "    if (!header || header->size_bytes > end - at) {",
        "recovery takes the batches of a deleted segment for those of the one that has its file now"),
    "wait-for-room-at-a-sync": (
        "storage/file_system.cpp",
        "    if (auto done = sync(); !done) return done.error().of_sync();",
        "    if (auto done = sync(); !done) return done;",
        "a sync that finds the disk full is tried again, and what it has dropped counts as written"),
    "say-less-than-was-thinned": (
        "storage/thinning.cpp",
        "            const auto lost = about_to.records_left_out - filter.finished_left_out();",
        "            const auto lost = (about_to.records_left_out - filter.finished_left_out() + 1) / 2;",
        "a report counts less than was given up"),
    "tell-from-memory-only": (
        "storage/gap_note.cpp",
        "    if (auto noted = files.open(*path, OpenMode::create); !noted) return noted.error();\n",
        "",
        "what is given up isn't noted, so that a kill before its report is durable hides it"),
    "give-lost-offsets-again": (
        "storage/recovery_point.cpp",
        "    return *stored && (*stored)->marks.id() == id ? (*stored)->point : RecoveryPoint();",
        "    static_cast<void>(id);\n    return RecoveryPoint();",
        "what the recovery point says is not believed"),
    "no-bound-of-offsets": (
        "storage/log.cpp",
        "    const auto bound = std::min(end + kBoundStep, Offset(kOffsetMax));",
        "    const auto bound = point_.end;",
        "where the end of the log is lost after a kill, its offsets are given again"),
    "delete-the-next-one": (
        "storage/retention.cpp",
        "log.segments().put_back(std::move(oldest));",
        "oldest.reset();",
        "a segment that could not be deleted stays, and the one after it is deleted"),
    "believe-a-short-read": (
        "storage/file_system.cpp",
        "        done += *got;\n    }\n    return done;",
        "        done += *got;\n        break;\n    }\n    return done;",
        "a read that the system cut short is taken for the end of the file"),
    "jump-over-what-was-merged": (
        "storage/log_reader.cpp",
        "            position_ = std::max(position_, *next_base);\n            leave_segment();\n            return position_ < limit;",
        "            const bool merged = log_.segments().find(*next_base)->base_offset() != *next_base;\n"
        "            const auto after = merged ? log_.segments().first_base_after(*next_base) : next_base;\n"
        "            position_ = std::max(position_, after.value_or(*next_base));\n            leave_segment();\n"
        "            return position_ < limit;",
        "a reader goes on behind a merged segment that it has read only the beginning of"),
}


def link(build, program, objects, output):
    """The program again, with these objects in front of the libraries that hold the good ones."""
    parts = [build / "tests/libsluice_test_support.a", build / "libsluice_storage.a"]
    for source in PROGRAMS[program]:
        entry = commands_of(build, source)
        arguments = shlex.split(entry["command"])
        objects.append(pathlib.Path(entry["directory"]) / arguments[arguments.index("-o") + 1])
    flags = [a for a in shlex.split(commands_of(build, "storage/log.cpp")["command"]) if a.startswith("-fsanitize")]
    libraries = ["-lsqlite3", "-lzstd", "-llz4", "-lz", "-lxxhash", "-lsnappy", "-lisal", "-lpthread"]
    subprocess.run(["c++", *flags, *map(str, objects), *map(str, parts), *libraries, "-o", str(output)], check=True)


def first_failure(command):
    """The first seed that fails, or what ended the program; None where all pass."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        line = program.stdout.readline().strip()
        program.kill()
        errors = program.stderr.read().strip().replace("\n", ", ")
    return errors or (line if line.startswith("seed") else None)


def finds(build, scratch, name, seeds):
    program = "commit_sim" if name in COMMIT_BUGS else "log_sim"
    file, piece, instead, _ = (BUGS | COMMIT_BUGS)[name]
    mutant = mutant_object(build, scratch, name, file, piece, instead)
    if mutant is None:
        return False
    link(build, program, [mutant], scratch / name)
    said = first_failure([str(scratch / name), "--seeds", str(seeds)])
    print(f"{name}: {'found: ' + said if said else 'NOT FOUND'}", flush=True)
    return said is not None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=8000)
    parser.add_argument("--only")
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else list(BUGS | COMMIT_BUGS)
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(
            lambda name: finds(arguments.build.resolve(), pathlib.Path(scratch), name, arguments.seeds), names))
    print(f"{sum(found)} passed, {len(found) - sum(found)} failed")
    sys.exit(0 if all(found) else 1)


if __name__ == "__main__":
    main()
