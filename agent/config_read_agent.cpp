#include "agent/config_names.hpp"
#include "agent/config_read.hpp"
#include "agent/config_units.hpp"

#include <unistd.h>

#include <array>

namespace sluice::agent {

namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""s;

std::string host_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return {};
    return name.data();
}

}  // namespace

ConfigSection subsection(ConfigSection& parent, std::string_view key) {
    const auto* value = parent.table(key);
    const auto name = parent.full_name(key);
    return {parent.context(), value == nullptr ? nullptr : value->get_if<ConfigTable>(), parent.place_of(key), name,
            "[" + name + "]"};
}

ConfigSection array_section(ConfigSection& parent, std::string_view key, const ConfigValue& table) {
    const auto name = parent.full_name(key);
    return {parent.context(), table.get_if<ConfigTable>(), table.place, name, "[[" + name + "]]"};
}

void read_data_dir(ConfigSection& agent, std::string& data_dir) {
    agent.read_path("data_dir", data_dir, "the log and the catalog; one agent at a time");
}

void read_agent(ConfigSection& top, Config& config) {
    auto section = subsection(top, "agent");
    const bool given =
        section.read("id", config.id, {"who this gateway is, unique in the fleet", "the host name", "identity ¹"});
    if (given && !is_identity(config.id)) {
        section.error("id", in_quotes(config.id) + " is not an identity", "1 to 128 letters, digits and . _ : - [ ]");
    } else if (!section.has("id")) {
        config.id = host_name();
        if (!is_identity(config.id))
            section.missing("id", "the host name " + in_quotes(config.id) + " can't serve as one");
    }
    read_data_dir(section, config.data_dir);
    section.read("shutdown_timeout", config.shutdown_timeout, 0s, 1h,
                 "how long a stop may wait for Kafka to acknowledge what is in flight");
    using bridge::Severity;
    section.read_choice<Severity>("log_level", config.log_level,
                                  {{"debug", Severity::debug},
                                   {"info", Severity::info},
                                   {"warning", Severity::warning},
                                   {"error", Severity::error}},
                                  "what is less severe is not written");
    section.read_choice<LogFormat>(
        "log_format", config.log_format,
        {{"text", LogFormat::text},
         {"logfmt", LogFormat::logfmt},
         {"json", LogFormat::json},
         {"journald", LogFormat::journald}},
        "for each event a line of text, of `key=value` pairs, or one JSON object, to stderr; or an entry in the "
        "journal with fields ([operations](operations.md#the-log-of-the-agent))");
    section.refuse_unknown();
}

void read_storage(ConfigSection& top, Config& config) {
    auto section = subsection(top, "storage");
    auto& commit = config.commit;
    section.read("commit_interval", commit.commit_interval, 0ms, 10s,
                 "wait so long for company before a sync; `0s`: sync as soon as the last one ended");
    section.read_size("commit_bytes", commit.commit_bytes, 1U << 10U, 16U << 20U,
                      "… but no longer once so much has gathered");
    section.read_integer<std::size_t>("queue_records_max", commit.queue_records_max, 1, 10'000'000,
                                      "what waits to be written, for each stream; beyond it the sources wait");
    section.read_size("queue_bytes_max", commit.queue_bytes_max, 1U << 20U, 1U << 30U, "… and of so many bytes");
    section.read_size("quota", config.quota_bytes, 1U << 20U, 1ULL << 50U,
                      {"what the logs and their indexes may take of the disk, all together; `sluice.events` (17 MiB at "
                       "most) and the agent's own notes (a few MiB) are not counted",
                       "no limit"});
    for (const auto& [name, stream] : config.streams) {
        // What is deleted is whole segments, and never the active one.
        if (!section.has("quota") || !stream.log.counts_to_quota || 2 * stream.log.segment_bytes <= config.quota_bytes)
            continue;
        section.warning(
            "quota", "is less than two segments of the stream " + in_quotes(name),
            "a smaller stream." + name + ".segment_bytes (it is " + format_size(stream.log.segment_bytes) + ")");
        break;
    }
    std::uint64_t endurance = 0;
    if (section.read_size("flash_endurance", endurance, 1U << 30U, 1ULL << 60U,
                          {"bytes that may be written to the medium in its life, as its data sheet says (TBW); with it "
                           "the agent knows [how long the flash will last](flash.md)",
                           "unknown"})) {
        config.flash_endurance_bytes = endurance;
    }
    section.read("cleaner_interval", config.cleaner.interval, 1s, 24h,
                 "how often is looked for what can be deleted or compacted");
    section.read_size("cleaner_rate", config.cleaner.bytes_per_second, 64U << 10U, 1ULL << 40U,
                      "read and written a second by compaction and thinning, at most, so that commits don't wait for "
                      "it; also where they make room on a full disk");
    section.refuse_unknown();
}

}  // namespace sluice::agent
