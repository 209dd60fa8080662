// `sluice log verify`: reads every batch and says what is wrong, and apart from that what only looks wrong.
#include "agent/cli/data_dir.hpp"
#include "agent/log/files.hpp"
#include "storage/salvage_file_system.hpp"
#include "storage/verify.hpp"

#include <iostream>
#include <set>

namespace sluice::agent {

namespace {

void print(const storage::Finding& finding) {
    std::cout << finding.path;
    if (finding.at) std::cout << ':' << finding.at->value();
    std::cout << (finding.kind == storage::Finding::Kind::note ? ": note: " : ": ") << finding.what << '\n';
}

void print(const std::string& stream, const storage::Verified& verified) {
    std::cout << stream << ": " << verified.segments << " segments, " << verified.batches << " batches, "
              << verified.records << " records, " << verified.bytes << " bytes, ";
    if (verified.offsets_missing > 0) std::cout << verified.offsets_missing << " offsets without a record, ";
    std::cout << verified.faults << (verified.faults == 1 ? " fault\n" : " faults\n");
}

/// Of one stream: the others are looked at all the same.
void complain(const std::string& stream, const storage::Error& error, std::uint64_t& faults) {
    std::cout << stream << ": " << error.message() << '\n';
    ++faults;
}

void repair(storage::FileSystem& files, const std::vector<StreamFiles>& streams, std::uint64_t& faults) {
    for (const auto& stream : streams) {
        if (stream.unreadable) continue;
        auto done = storage::repair_log(files, stream.directory, stream.stream, [](const storage::Gap& gap) {
            std::cout << gap.stream << ": offsets " << gap.first.value() << " to " << gap.next.value() - 1
                      << " are lost: " << gap.reason << '\n';
        });
        if (!done) complain(stream.stream, done.error(), faults);
    }
}

}  // namespace

int log_verify_command(const LogVerifyArguments& arguments) {
    const auto data_dir = data_dir_of(arguments.log);
    if (!data_dir) return kExitBadConfig;
    std::uint64_t faults = 0;
    std::set<std::string> unreadable;
    storage::PosixFileSystem disk;
    storage::SalvageFileSystem files(disk, [&](const std::string& path, storage::FilePosition block) {
        const auto where = path + ":" + std::to_string(block.value());
        if (!unreadable.insert(where).second) return;
        std::cout << where << ": " << storage::SalvageFileSystem::kBlockBytes
                  << " bytes can't be read: the disk fails\n";
        ++faults;
    });
    const auto streams = find_streams(files, *data_dir, arguments.stream);
    if (!streams) return report_failure(streams.error());
    std::unique_ptr<storage::FileLock> lock;
    if (arguments.repair) {
        auto taken = files.lock(*data_dir + "/lock");
        if (!taken) return report_failure(taken.error());
        lock = std::move(*taken);
        repair(files, *streams, faults);
    }
    for (const auto& stream : *streams) {
        const auto verified =
            stream.unreadable
                ? storage::Result<storage::Verified>(*stream.unreadable)
                : storage::verify_log(files, stream.directory, [](const storage::Finding& finding) { print(finding); });
        if (!verified) {
            complain(stream.stream, verified.error(), faults);
            continue;
        }
        print(stream.stream, *verified);
        faults += verified->faults;
    }
    std::cout.flush();
    return faults == 0 && std::cout ? kExitSuccess : kExitFailure;
}

}  // namespace sluice::agent
