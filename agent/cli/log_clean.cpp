// `sluice log clean`: what the agent's cleaner does, once, for a log at rest.
#include "agent/cli/data_dir.hpp"
#include "agent/open_logs.hpp"
#include "bridge/mqtt/qos2_state.hpp"
#include "storage/compaction.hpp"
#include "storage/quarantine.hpp"
#include "storage/retention.hpp"

#include <iostream>

namespace sluice::agent {

namespace {

using storage::Log;
using storage::Result;

const storage::Pace kUnpaced = [](std::size_t) { return true; };

class Cleaning {
 public:
    Cleaning(const Config& config, const std::string& only) : config_(config), only_(only) {}

    Result<void> run() {
        auto open = open_logs(config_, files_, clock_, [](const storage::Gap& gap) {
            std::cout << gap.stream << ": ";
            if (gap.first < gap.next)
                std::cout << "offsets " << gap.first.value() << " to " << gap.next.value() - 1 << " are given up: ";
            std::cout << gap.reason << '\n';
        });
        if (!open) return open.error();
        {
            // As the agent does at its start: what a kill left in the logs is taken from them before they are cleaned.
            storage::GroupCommit commit({}, {});
            auto qos2 = bridge::mqtt::Qos2State::recover(*open->logs, commit);
            if (!qos2) return qos2.error();
        }
        Result<void> result;
        for (auto* log : open->logs->streams()) {
            if (only_.empty() ? log->name() == bridge::mqtt::kInboundStream : log->name() != only_) continue;
            if (auto done = clean(*log); !done && result) result = done;  // the other streams are cleaned all the same
        }
        auto closed = open->logs->close();
        return result ? closed : result;
    }

 private:
    Result<void> clean(Log& log) {
        const auto before = log.size_bytes();
        if (auto done = storage::delete_expired(files_, log, clock_); !done) return done;
        std::int64_t left_out = 0;
        for (bool more = log.options().compacts(); more;) {
            const auto pass =
                storage::compact(files_, log, clock_,
                                 {.table_bytes = config_.cleaner.table_bytes, .whatever_the_ratio = true}, kUnpaced);
            if (!pass && pass.error().kind() == storage::Errc::corrupt) {
                const auto found = storage::quarantine_damage(files_, log, kUnpaced);
                if (!found) return found.error();
                if (*found) continue;  // the damage is out of the way
            }
            if (!pass) return pass.error();
            left_out += pass->records_left_out;
            more = pass->more;
        }
        std::cout << log.name() << ": " << before << " bytes before, " << log.size_bytes() << " after, " << left_out
                  << " records compacted away\n";
        return {};
    }

    storage::PosixFileSystem files_;
    storage::SystemClock clock_;
    const Config& config_;
    const std::string& only_;
};

}  // namespace

int log_clean_command(const LogCleanArguments& arguments) {
    const auto loaded = load_config(arguments.config.file, arguments.config.overrides);
    std::cerr << loaded.text();
    if (!loaded.config) return kExitBadConfig;
    if (!arguments.stream.empty() && !loaded.config->streams.contains(arguments.stream)) {
        std::cerr << "there is no stream \"" << arguments.stream << "\" in the configuration\n";
        return kExitFailure;
    }
    // Opening the logs would make them.
    const auto there = storage::PosixFileSystem().list(loaded.config->data_dir + "/log");
    if (!there) {
        std::cerr << there.error().message() << " (there is no log to clean: is data_dir right?)\n";
        return kExitFailure;
    }
    if (auto done = Cleaning(*loaded.config, arguments.stream).run(); !done) {
        if (done.error().kind() == storage::Errc::locked)
            std::cerr << "the agent cleans by itself while it runs; `sluice log clean` is for a log at rest\n";
        return report_failure(done.error());
    }
    return kExitSuccess;
}

}  // namespace sluice::agent
