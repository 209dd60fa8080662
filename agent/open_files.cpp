#include "agent/open_files.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <string>

namespace sluice::agent {

namespace {

// A stream: its active segment with its indexes, a reader or two, and what the cleaner makes. Besides: the catalog,
// Kafka's brokers, certificates, the log.
constexpr rlim_t kFilesAStream = 16;
constexpr rlim_t kFilesBesides = 200;

}  // namespace

void allow_open_files(Config& config, const bridge::Report& report) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const auto own = kFilesBesides + kFilesAStream * config.streams.size();
    const auto wanted = own + (config.listener ? config.listener->connections_max : 0);
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = std::min(static_cast<rlim_t>(wanted), limit.rlim_max);
        static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
    }
    if (limit.rlim_cur >= wanted || !config.listener) return;
    const auto left = limit.rlim_cur > own ? limit.rlim_cur - own : 1;
    report(bridge::Severity::warning, "mqtt",
           "this process may open " + std::to_string(limit.rlim_cur) + " files, so the listener takes " +
               std::to_string(left) + " connections and not listener.mqtt.max_connections = " +
               std::to_string(config.listener->connections_max) + " (raise the hard limit: LimitNOFILE, ulimit -n)");
    config.listener->connections_max = left;
}

}  // namespace sluice::agent
