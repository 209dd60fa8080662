// log_sim: the log against a model, on a file system that loses what was not synced, from a seed.
//
//     log_sim --seeds 2000            as CI does
//     log_sim --seed 4711 --verbose   one again, step by step
//
// A run appends, commits, reads, compacts, thins, deletes, fills the disk, kills the process, cuts the power in the
// middle of any call, fails calls and flips bits, and after each step compares with the model: no accepted record is
// lost, none appears twice or changed, offsets never move, and the latest record of each key survives compaction.
#include "storage/compaction.hpp"
#include "storage/log.hpp"
#include "storage/log_reader.hpp"
#include "storage/quarantine.hpp"
#include "storage/quota.hpp"
#include "storage/retention.hpp"
#include "storage/verify.hpp"
#include "tests/chaos/log_model.hpp"
#include "tests/chaos/seeds.hpp"
#include "tests/support/sim_file_system.hpp"

#include <cerrno>
#include <chrono>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sluice::test {

using namespace storage;
using namespace std::chrono_literals;

namespace {

const std::string kDirectory = "/data/log/s-0";

class SimClock final : public Clock {
 public:
    [[nodiscard]] Timestamp now() const override { return now_; }
    [[nodiscard]] std::chrono::milliseconds steady() const override { return steady_; }
    void advance(std::chrono::milliseconds by) {
        now_ += by;
        steady_ += by;
    }
    /// As somebody sets a clock: no time passes.
    void set_by(std::chrono::milliseconds by) { now_ += by; }

 private:
    Timestamp now_{1'700'000'000'000ms};
    std::chrono::milliseconds steady_{0};
};

class Simulation {
 public:
    Simulation(std::uint64_t seed, bool verbose)
        : random_(seed), verbose_(verbose), forges_(seed % 4 == 3), files_(seed * 31 + 7), options_(random_options()) {}

    void run() {
        disk_was_full_ = toss(30);
        if (disk_was_full_) files_.set_capacity(15'000 + pick(40'000));
        say("durability " + std::to_string(static_cast<int>(options_.durability)) + ", cleanup " +
            std::to_string(static_cast<int>(options_.cleanup)) + ", on_full " +
            std::to_string(static_cast<int>(options_.on_full)) + ", forwards " + std::to_string(int{forwards_}) +
            ", segments of " + std::to_string(options_.segment_bytes) + ", tail " +
            std::to_string(options_.tail_cache_bytes));
        open();
        const auto steps = 20 + pick(60);
        for (std::uint64_t i = 0; i < steps; ++i) {
            step();
            if (!log_) recover();
            check(false);
        }
        kill_process();
        check(false);
        close_and_open();
        check(false);
    }

 private:
    std::uint64_t pick(std::uint64_t below) { return random_() % below; }
    bool toss(unsigned percent) { return pick(100) < percent; }
    template <class T>
    T one_of(std::initializer_list<T> choices) {
        return *(choices.begin() + static_cast<std::ptrdiff_t>(pick(choices.size())));
    }
    void say(const std::string& what) const {
        if (verbose_) std::cerr << what << '\n';
    }

    LogOptions random_options() {
        LogOptions options;
        options.segment_bytes = 200 + pick(4000);
        options.compression = one_of({Compression::none, Compression::lz4, Compression::zstd});
        options.durability =
            one_of({Durability::fsync, Durability::fsync, Durability::fsync, Durability::flush, Durability::memory});
        options.cleanup = one_of({Cleanup::remove, Cleanup::compact, Cleanup::compact, Cleanup::compact_and_remove});
        options.hold_until_forwarded = toss(50);
        options.min_dirty_ratio = toss(50) ? 0.0 : 0.5;
        options.delete_retention = toss(50) ? 0ms : 1h;
        if (toss(50)) options.retention = 3h;
        options.tail_cache_bytes = one_of<std::size_t>({0, 300, 100'000});
        options.memory_bytes_max = 500 + pick(3000);
        options.on_full = one_of({OnFull::block, OnFull::drop_oldest, OnFull::compact, OnFull::thin});
        options.thin_interval = 60s;
        forwards_ = toss(60);
        quota_ = toss(30) ? 10'000 + pick(30'000) : DiskBudget::kUnlimited;
        flips_bits_ = toss(20);
        sets_clock_ = toss(30);
        return options;
    }

    void step() {
        if (toss(12)) arm();
        if (toss(20) && !files_.is_down()) model_.tell();
        switch (pick(18)) {
            case 0:
                return compact_some();
            case 1:
                return delete_some();
            case 2:
                return forward();
            case 3:
                return move_clock();
            case 4:
                return toss(40) ? kill_process() : void();
            case 5:
                return toss(40) ? cut_power() : void();
            case 6:
                return toss(30) ? close_and_open() : void();
            case 7:
                return flip();
            case 8:
                return tend();
            case 9:
                say("roll");
                note(log_->commit());
                if (log_) note(log_->roll());
                return;
            case 10:
                return read_slowly();
            default:
                return append_and_commit();
        }
    }

    void move_clock() {
        if (!sets_clock_ || toss(50)) {
            say("clock");
            return clock_.advance(std::chrono::milliseconds(pick(7'200'000)));
        }
        const auto by = std::chrono::milliseconds(pick(7'200'000));
        clock_.set_by(toss(50) ? by : -by);
        say("clock set to " + std::to_string(clock_.now().time_since_epoch().count()));
    }

    /// Written by the time that has passed, whatever the wall clock says.
    void tend() {
        say("tend");
        for (const auto& segment : log_->segments().closed()) static_cast<void>(segment->repair_indexes());
        if (toss(30)) clock_.advance(options_.memory_age_max + 1ms);
        const auto waited = clock_.steady() - first_unwritten_;
        auto done = log_->spill_if_due();
        const bool fine = done.has_value();
        note(done);
        const bool due = options_.durability == Durability::memory && waited > options_.memory_age_max && !forwards_;
        if (fine && due && log_ && !log_->tail().pinned().empty()) {
            throw std::runtime_error("what waited too long in memory was not written");
        }
    }

    /// A crash or a failure somewhere in what comes next.
    void arm() {
        const auto n = pick(toss(50) ? 6 : 60);
        if (toss(15)) {
            say("armed: a read fails at " + std::to_string(n));
            files_.fail_read_at(n);
        } else if (toss(60)) {
            say("armed: crash at " + std::to_string(n));
            files_.crash_at(n);
        } else {
            const bool full = toss(40);
            say("armed: " + std::string(full ? "a full disk at " : "failure at ") + std::to_string(n));
            files_.fail_at(n, full ? ENOSPC : EIO);
            disk_was_full_ |= full;
        }
    }

    Record random_record() {
        Record record;
        if (!toss(10)) record.key = "key-" + std::to_string(pick(12));
        if (!record.key || !toss(10))
            record.value = std::string(pick(60), static_cast<char>('a' + pick(26))) + std::to_string(serial_++);
        record.timestamp = clock_.now() - std::chrono::milliseconds(pick(5'000));
        if (toss(2)) record.headers.push_back({"h", std::nullopt});
        if (forges_ && serial_ % 16 == 0 && record.value) record.value = forged(*record.value);
        return record;
    }

    /// A batch with an offset that is yet to come, as a device can make it that does not know the log id.
    [[nodiscard]] std::string forged(const std::string& value) const {
        BatchBuilder builder;
        Record record;
        record.value = "forged " + value;
        builder.add(record);
        const auto base = log_->log_end_offset() + static_cast<std::int64_t>(20 + serial_ % 50);
        const auto batch = builder.finish(base, Compression::none, BatchMarks());
        return {reinterpret_cast<const char*>(batch->bytes.data()), batch->bytes.size()};
    }

    void append_and_commit() {
        const auto batches = 1 + pick(3);
        for (std::uint64_t i = 0; i < batches && log_; ++i) append(1 + pick(toss(80) ? 5 : 40));
        if (log_ && toss(90)) commit();
        clock_.advance(std::chrono::milliseconds(pick(20'000)));
        files_.set_now(clock_.now());
    }

    void append(std::uint64_t count) {
        std::vector<Record> records;
        BatchBuilder batch;
        for (std::uint64_t i = 0; i < count; ++i) {
            records.push_back(random_record());
            batch.add(records.back());
        }
        for (int attempt = 0; attempt < 40; ++attempt) {
            auto offset = log_->log_end_offset().value();
            say("append " + std::to_string(count) + " at " + std::to_string(offset));
            // Told to the model first: of an append that fails, some may be there after a restart.
            for (const auto& record : records) {
                model_.append(offset++, {record.key, record.value, record.timestamp, clock_.now(), false});
            }
            const auto first = log_->append(batch);
            if (first) return note_unwritten(*first);
            if (first.error().kind() != Errc::no_space) return lose(first.error());
            model_.forget_from(log_->log_end_offset().value());
            if (!make_room()) return;
        }
    }

    /// Durability "memory": whether this is now the oldest that is not written.
    void note_unwritten(Offset first) {
        const auto pinned = log_->tail().pinned();
        if (!pinned.empty() && pinned.front().base_offset == first) first_unwritten_ = clock_.steady();
    }

    void commit() {
        say("commit");
        if (auto done = log_->commit(); !done) return lose(done.error());
        model_.accept_all();
    }

    bool make_room() {
        say("make room");
        Quota quota(
            files_, clock_,
            [this](Log& log) {
                auto done = log.commit();
                if (done) model_.accept_all();
                if (done) done = log.roll();
                if (!done && done.error().kind() != Errc::no_space) failed_ = true;
            },
            "reserve");
        const auto room = quota.make_room({log_.get()}, *log_, [](std::size_t) { return true; });
        compacted_ |= options_.on_full == OnFull::compact || options_.compacts();
        if (failed_ || (!room && room.error().kind() != Errc::no_space && room.error().kind() != Errc::corrupt)) {
            lose(room ? Error(Errc::io, "roll") : room.error());
            return false;
        }
        return room && *room != Quota::Room::none;
    }

    void compact_some() {
        if (!options_.compacts()) return;
        say("compact");
        compacted_ = true;
        if (toss(30)) files_.crash_at(pick(40));  // a swap has many steps, and each must be safe to die at
        auto patience = toss(80) ? 1'000'000 : pick(20);
        const auto result = compact(files_, *log_, clock_, {.table_bytes = toss(50) ? 1U << 20U : 16U * 8U},
                                    [&](std::size_t) { return patience-- > 0; });
        if (result) check_compacted(result->clean_to);
        if (!result && result.error().kind() == Errc::corrupt) return quarantine();
        if (result || result.error().kind() == Errc::closed || result.error().kind() == Errc::corrupt) return;
        if (result.error().kind() != Errc::no_space) lose(result.error());
    }

    void quarantine() {
        say("quarantine");
        const auto found = quarantine_damage(files_, *log_, [](std::size_t) { return true; });
        if (found && !*found) throw std::runtime_error("compaction met damage, and there is none");
        if (!found && found.error().kind() != Errc::no_space) lose(found.error());
    }

    void delete_some() {
        say("retention");
        if (toss(30)) clock_.advance(2h);
        const auto done = delete_expired(files_, *log_, clock_);
        if (!done && !files_.is_down() && toss(50)) return;  // as the cleaner, which says so and goes on
        note(done);
    }

    void forward() {
        if (!forwards_) return;
        const auto limit = log_->high_watermark().value();
        finished_ = std::max(finished_, static_cast<std::int64_t>(pick(static_cast<std::uint64_t>(limit) + 1)));
        say("finished " + std::to_string(finished_));
        log_->set_finished(Offset(finished_));
    }

    void flip() {
        if (!flips_bits_) return;
        const auto segments = log_->segments().all();
        const auto& segment = segments[pick(segments.size())];
        const auto suffix = one_of<std::string_view>({kLogSuffix, kLogSuffix, kIndexSuffix, kTimeIndexSuffix});
        const auto size = files_.status(segment->path(suffix));
        if (!size || size->size_bytes == 0) return;
        // The last batch of all can't be told from a write that did not finish.
        if (!segment->next_base() && suffix == kLogSuffix) return;
        const auto position =
            pick(suffix == kLogSuffix ? std::max<std::uint64_t>(segment->end_position().value(), 1) : size->size_bytes);
        if (!files_.flip_bit(segment->path(suffix), position, static_cast<unsigned>(pick(8)))) return;
        say("flip " + segment->path(suffix) + ":" + std::to_string(position));
        flipped_ |= suffix == kLogSuffix;
        flipped_indexes_ = true;
    }

    /// The log is at rest, and its end known: damage there is no write that did not finish.
    void flip_at_the_end() {
        const auto names = files_.list(kDirectory);
        if (!names) return;
        for (auto name = names->rbegin(); name != names->rend(); ++name) {
            if (!parse_segment_file_name(*name, kLogSuffix)) continue;
            const auto path = kDirectory + "/" + *name;
            const auto size = files_.status(path);
            if (!size || size->size_bytes == 0) return;
            const auto from_end = 1 + pick(std::min<std::uint64_t>(size->size_bytes, 200));
            if (!files_.flip_bit(path, size->size_bytes - from_end, static_cast<unsigned>(pick(8)))) return;
            say("flip " + path + ":" + std::to_string(size->size_bytes - from_end));
            flipped_ = flipped_indexes_ = true;
            return;
        }
    }

    /// As fsck moves a file away. What nobody was told of may be lost without a word, but for its offsets.
    void lose_last_segment() {
        const auto names = files_.list(kDirectory);
        if (!names) return;
        std::set<std::string> segments;
        for (const auto& name : *names) {
            if (parse_segment_file_name(name, kLogSuffix)) segments.insert(name);
        }
        if (segments.size() < 2) return;  // without any it would be another log
        const auto& last = *segments.rbegin();
        if (!files_.remove(kDirectory + "/" + last)) return;
        say("lost " + last);
        flipped_ = flipped_indexes_ = true;
        // On a full disk no bound may be noted.
        if (!disk_was_full_) used_end_ = model_.accepted_end();
    }

    /// The log failed, as the process would: it ends, and starts again.
    void lose(const Error& error) {
        say("lost: " + error.message());
        failed_ = false;
        end_process();
    }
    void note(const Result<void>& result) {
        if (result || result.error().kind() == Errc::no_space || result.error().kind() == Errc::corrupt) return;
        lose(result.error());
    }

    /// A reader that takes its time: what it has open must stay what it was, whatever becomes of the segment.
    void read_slowly() {
        if (!slow_reader_) slow_reader_.emplace(*log_, log_->log_start_offset(), 64);
        say("read slowly at " + std::to_string(slow_reader_->position().value()));
        const auto gaps = model_.gaps();
        const auto from = slow_reader_->position();
        const auto batch = slow_reader_->next();
        if (!batch) return slow_reader_.reset();
        check_none_missed(from, *batch ? (*batch)->records().front().offset : log_->high_watermark());
        if (!*batch) return slow_reader_.reset();
        for (const auto& record : (*batch)->records()) {
            const auto known = model_.records().find(record.offset.value());
            if (known == model_.records().end() || same(known->second, record)) continue;
            throw std::runtime_error("a reader got another record at " + std::to_string(record.offset.value()));
        }
        if (model_.gaps() > gaps && !flipped_) throw std::runtime_error("a reader met damage where there was none");
    }

    /// What a reader that starts anew finds first is not passed over. It may have it from memory, which is not cleaned.
    void check_none_missed(Offset from, Offset until) const {
        LogReader reader(*log_, from);
        const auto batch = reader.next();
        if (!batch || !*batch) return;
        for (const auto& record : (*batch)->records()) {
            if (record.offset >= until) return;
            if (compacted_ && (!record.value || model_.superseded(record.offset.value()))) continue;
            throw std::runtime_error("a reader missed the record at " + std::to_string(record.offset.value()));
        }
    }

    void end_process() {
        slow_reader_.reset();
        log_.reset();
        model_.forget_untold();
    }

    void recover() {
        const bool power = files_.is_down() || toss(20);
        end_process();
        if (power) {
            say("power cut");
            files_.crash_and_reboot();
        } else {
            say("process killed");
            files_.calm();
        }
        open();
        check(true, power);
    }

    void kill_process() {
        end_process();
        const bool power = files_.is_down();
        say(power ? "power cut" : "process killed");
        files_.calm();
        if (power) files_.crash_and_reboot();
        if (flips_bits_ && toss(10)) lose_last_segment();
        open();
        check(true, power);
    }

    void cut_power() {
        end_process();
        say("power cut");
        files_.crash_and_reboot();
        open();
        check(true, true);
    }

    void close_and_open() {
        say("close and open");
        const auto end = log_->log_end_offset();
        const auto done = log_->close();
        if (!done) {
            lose(done.error());
            return recover();
        }
        model_.accept_all();
        end_process();
        if (flips_bits_ && toss(30)) flip_at_the_end();
        open();
        if (log_->log_end_offset() != end && !flipped_) throw std::runtime_error("a clean stop moved the log's end");
        check(true);
    }

    void open() {
        for (int attempt = 0;; ++attempt) {
            budget_.emplace(quota_);
            auto opened = Log::open({files_, clock_, *budget_, [this](const Gap& gap) { note_gap(gap); }}, kDirectory,
                                    "s", options_, [this](const LogId&) { return finished(); });
            if (opened) {
                log_ = std::move(*opened);
                break;
            }
            say("open failed: " + opened.error().message());
            model_.forget_untold();
            if (attempt == 5) throw std::runtime_error("can't be opened: " + opened.error().message());
            const bool power = files_.is_down();
            if (power) {
                files_.crash_and_reboot();
                power_went_ = true;
            } else {
                files_.calm();
            }
        }
        if (log_->log_end_offset() < Offset(used_end_)) throw std::runtime_error("offsets are given again");
        if (id_ && model_.accepted_end() > 0 && !(*id_ == log_->id())) throw std::runtime_error("the log id changed");
        id_ = log_->id();
    }

    void note_gap(const Gap& gap) {
        say("gap " + std::to_string(gap.first.value()) + " to " + std::to_string(gap.next.value()) + ": " + gap.reason);
        model_.gap(gap);
        // Nothing takes segments or their ends away here.
        if (gap.reason.find("is missing") != std::string::npos && gap.reason.find("segment") != std::string::npos) {
            hole_ = true;
        }
        const bool room = gap.reason.find("no space") != std::string::npos;
        if (room && options_.on_full == OnFull::block) throw std::runtime_error("given up, though it should block");
    }

    [[nodiscard]] std::optional<Finished> finished() const {
        return forwards_ ? std::optional(Finished{Offset(finished_), Offset(finished_)}) : std::nullopt;
    }

    /// Nothing that the log does leaves files that are wrong; only flipped bits do.
    void verify() {
        if (files_.is_down() || flipped_ || weak_) return;
        std::string what;
        const auto verified = verify_log(files_, kDirectory, [&](const Finding& finding) {
            if (finding.kind == Finding::Kind::fault) what += finding.path + ": " + finding.what + "; ";
        });
        if (!verified) throw std::runtime_error("verify: " + verified.error().message());
        if (verified->faults > 0 && !flipped_indexes_) throw std::runtime_error("verify: " + what);
    }

    /// Below what a pass has cleaned, each key has one record.
    void check_compacted(Offset clean_to) {
        if (forwards_ || flipped_ || weak_ || options_.tail_cache_bytes > 0) return;  // memory is not cleaned
        std::map<std::string, Offset> seen;
        LogReader reader(*log_, Offset(0));
        for (;;) {
            const auto batch = reader.next();
            if (!batch || !*batch) return;
            for (const auto& record : (*batch)->records()) {
                if (record.offset >= clean_to) return;
                if (!record.key) continue;
                if (!seen.emplace(*record.key, record.offset).second) {
                    throw std::runtime_error("two records of " + std::string(*record.key) + " below the clean offset " +
                                             std::to_string(clean_to.value()));
                }
            }
        }
    }

    void check(bool reopened, bool power = false) {
        if (files_.is_down()) return;
        files_.calm_reads();
        power |= std::exchange(power_went_, false);
        Allowance allowance;
        allowance.compacted = compacted_;
        allowance.damaged = flipped_;
        if (forwards_) allowance.finished = finished_;
        allowance.power_may_lose = power && options_.durability != Durability::fsync;
        if (power && options_.durability != Durability::fsync) weak_ = true;
        allowance.power_may_lose |= weak_;
        // A horizon that was written by another time says nothing about when a tombstone goes.
        model_.check(*log_, allowance, reopened, sets_clock_ ? Timestamp::max() : clock_.now());
        if (hole_) throw std::runtime_error("a hole was reported where nothing was lost");
        verify();
        if (forwards_ && finished_ > log_->high_watermark().value()) finished_ = log_->high_watermark().value();
    }

    std::mt19937_64 random_;
    const bool verbose_;
    const bool forges_;
    bool forwards_ = false;
    bool flips_bits_ = false;
    bool sets_clock_ = false;
    std::uint64_t quota_ = 0;
    SimFileSystem files_;
    SimClock clock_;
    const LogOptions options_;
    LogModel model_;
    std::optional<DiskBudget> budget_;
    std::unique_ptr<Log> log_;
    std::optional<LogReader> slow_reader_;
    std::optional<LogId> id_;
    std::int64_t finished_ = 0;
    std::int64_t used_end_ = 0;                     // of what went missing as a file
    std::chrono::milliseconds first_unwritten_{0};  // by the clock's steady time
    std::uint64_t serial_ = 0;
    bool compacted_ = false;
    bool disk_was_full_ = false;  // or may have been
    bool flipped_ = false;
    bool flipped_indexes_ = false;
    bool failed_ = false;
    bool hole_ = false;
    bool power_went_ = false;
    bool weak_ = false;  // the power went, and the durability allows for loss
};

}  // namespace

}  // namespace sluice::test

int main(int argc, char** argv) {
    return sluice::test::run_seeds(
        argc, argv, 2000, [](std::uint64_t seed, bool verbose) { sluice::test::Simulation(seed, verbose).run(); });
}
