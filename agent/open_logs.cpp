#include "agent/open_logs.hpp"

#include "bridge/kafka/stored_progress.hpp"
#include "bridge/mqtt/qos2_state.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::agent {

using storage::Offset;

namespace {

/// The agent's own notes: small, and only the newest state counts.
storage::LogOptions inbound_options() {
    storage::LogOptions options;
    options.segment_bytes = 1U << 20U;
    options.retention_bytes = 2U << 20U;
    options.compression = storage::Compression::none;
    options.counts_to_quota = false;
    return options;
}

}  // namespace

storage::Result<std::vector<UnusedStream>> unused_streams(const Config& config, storage::FileSystem& files) {
    const auto directories = files.list(config.data_dir + "/log");
    std::vector<UnusedStream> unused;
    if (!directories) return unused;  // nothing is there yet
    for (const auto& directory : *directories) {
        if (!directory.ends_with(storage::kPartitionSuffix)) continue;
        const auto stream = directory.substr(0, directory.size() - storage::kPartitionSuffix.size());
        if (config.streams.contains(stream) || stream == bridge::mqtt::kInboundStream) continue;
        UnusedStream found{stream, storage::stream_directory(config.data_dir, stream), 0};
        const auto names = files.list(found.directory);
        if (!names) return names.error();
        for (const auto& name : *names) {
            if (const auto status = files.status(found.directory + "/" + name)) found.bytes += status->size_bytes;
        }
        unused.push_back(std::move(found));
    }
    return unused;
}

std::string to_string(const UnusedStream& unused) {
    return "stream " + unused.stream + " is not in the configuration: " + unused.directory + " (" +
           std::to_string(unused.bytes) + " bytes) stays as it is, and what it holds is not forwarded (write [stream." +
           (unused.stream.find('.') == std::string::npos ? unused.stream : "\"" + unused.stream + "\"") +
           "] to have it forwarded, or delete the directory)";
}

storage::Result<OpenLogs> open_logs(const Config& config, storage::FileSystem& files, const storage::Clock& clock,
                                    const storage::GapReport& on_gap) {
    OpenLogs open;
    auto logs = storage::LogDir::open(files, clock, config.data_dir, on_gap, config.quota_bytes);
    if (!logs) return logs.error();
    open.logs = std::move(*logs);
    auto catalog = storage::Catalog::open(config.data_dir + "/catalog.db");
    if (!catalog) return catalog.error();
    open.catalog = std::move(*catalog);
    auto inbound = open.logs->open_stream(bridge::mqtt::kInboundStream, inbound_options());
    if (!inbound) return inbound.error();
    for (const auto& [name, stream] : config.streams) {
        const bool forwards = stream.forward && config.kafka;
        const auto finished_of =
            [&, &stream_name = name](const storage::LogId& id) -> storage::Result<std::optional<storage::Finished>> {
            if (!forwards) return std::optional<storage::Finished>();
            const auto progress = bridge::kafka::load_progress(*open.catalog, stream_name, id);
            if (!progress) return progress.error();
            const auto known = progress->value_or(bridge::kafka::Progress());
            return std::optional(storage::Finished{known.next, known.end()});
        };
        auto log = open.logs->open_stream(name, stream.log, finished_of);
        if (!log) return log.error();
    }
    for (auto* log : open.logs->streams()) log->hold_from(Offset(0));
    return open;
}

}  // namespace sluice::agent
