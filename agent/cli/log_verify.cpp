// `sluice log verify`: reads every batch and says what is wrong, and apart from that what only looks wrong.
#include "agent/cli/data_dir.hpp"
#include "agent/log/files.hpp"
#include "storage/salvage_file_system.hpp"
#include "storage/verify.hpp"

#include <nlohmann/json.hpp>

#include <iostream>
#include <set>

namespace sluice::agent {

namespace {

using Json = nlohmann::ordered_json;

/// What is found, line by line, for people or as JSON.
class Report {
 public:
    explicit Report(bool json) : json_(json) {}

    void add(const std::string& stream, const storage::Finding& finding) {
        const bool note = finding.kind == storage::Finding::Kind::note;
        const auto position = finding.at ? Json(finding.at->value()) : Json();
        if (json_) {
            return print({{"stream", stream},
                          {"kind", note ? "note" : "fault"},
                          {"path", finding.path},
                          {"position", position},
                          {"what", finding.what}});
        }
        std::cout << finding.path << (finding.at ? ":" + position.dump() : "") << (note ? ": note: " : ": ")
                  << finding.what << '\n';
    }

    void add(const std::string& stream, const storage::Verified& verified) {
        faults_ += verified.faults;
        if (json_) {
            return print({{"stream", stream},
                          {"kind", "summary"},
                          {"segments", verified.segments},
                          {"batches", verified.batches},
                          {"records", verified.records},
                          {"bytes", verified.bytes},
                          {"offsets_missing", verified.offsets_missing},
                          {"faults", verified.faults}});
        }
        std::cout << stream << ": " << verified.segments << " segments, " << verified.batches << " batches, "
                  << verified.records << " records, " << verified.bytes << " bytes, ";
        if (verified.offsets_missing > 0) std::cout << verified.offsets_missing << " offsets without a record, ";
        std::cout << verified.faults << (verified.faults == 1 ? " fault\n" : " faults\n");
    }

    /// What the repair could not save.
    void add(const storage::Gap& gap) const {
        if (json_) {
            return print({{"stream", gap.stream},
                          {"kind", "lost"},
                          {"first_offset", gap.first.value()},
                          {"next_offset", gap.next.value()},
                          {"count", gap.count ? Json(*gap.count) : Json()},
                          {"what", gap.reason}});
        }
        std::cout << gap.stream << ": ";
        if (gap.first < gap.next)
            std::cout << "offsets " << gap.first.value() << " to " << gap.next.value() - 1 << " are lost: ";
        std::cout << gap.reason << '\n';
    }

    /// Of one stream: the others are looked at all the same.
    void fail(const std::string& stream, const storage::Error& error) {
        ++faults_;
        if (json_) return print({{"stream", stream}, {"kind", "error"}, {"what", error.message()}});
        std::cout << stream << ": " << error.message() << '\n';
    }

    void add_unreadable(const std::string& path, storage::FilePosition block) {
        if (!unreadable_.insert({path, block}).second) return;
        ++faults_;
        const auto what =
            std::to_string(storage::SalvageFileSystem::kBlockBytes) + " bytes can't be read: the disk fails";
        if (json_) {
            return print({{"kind", "unreadable"}, {"path", path}, {"position", block.value()}, {"what", what}});
        }
        std::cout << path << ':' << block.value() << ": " << what << '\n';
    }

    [[nodiscard]] std::uint64_t faults() const { return faults_; }

 private:
    static void print(const Json& line) {
        // A file's name may be no UTF-8.
        std::cout << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
    }

    const bool json_;
    std::uint64_t faults_ = 0;
    std::set<std::pair<std::string, storage::FilePosition>> unreadable_;
};

void repair(storage::FileSystem& files, const std::vector<StreamFiles>& streams, Report& report) {
    for (const auto& stream : streams) {
        if (stream.unreadable) continue;
        auto done = storage::repair_log(files, stream.directory, stream.stream,
                                        [&](const storage::Gap& gap) { report.add(gap); });
        if (!done) report.fail(stream.stream, done.error());
    }
}

void verify(storage::FileSystem& files, const StreamFiles& stream, Report& report) {
    if (stream.unreadable) return report.fail(stream.stream, *stream.unreadable);
    const auto verified = storage::verify_log(
        files, stream.directory, [&](const storage::Finding& finding) { report.add(stream.stream, finding); });
    if (!verified) return report.fail(stream.stream, verified.error());
    report.add(stream.stream, *verified);
}

}  // namespace

int log_verify_command(const LogVerifyArguments& arguments) {
    const auto data_dir = data_dir_of(arguments.log);
    if (!data_dir) return kExitBadConfig;
    Report report(arguments.json);
    storage::PosixFileSystem disk;
    storage::SalvageFileSystem files(
        disk, [&](const std::string& path, storage::FilePosition block) { report.add_unreadable(path, block); });
    const auto streams = find_streams(files, *data_dir, arguments.stream);
    if (!streams) return report_failure(streams.error());
    std::unique_ptr<storage::FileLock> lock;
    if (arguments.repair) {
        auto taken = files.lock(*data_dir + "/lock");
        if (!taken) return report_failure(taken.error());
        lock = std::move(*taken);
        repair(files, *streams, report);
    }
    for (const auto& stream : *streams) verify(files, stream, report);
    std::cout.flush();
    return report.faults() == 0 && std::cout ? kExitSuccess : kExitFailure;
}

}  // namespace sluice::agent
