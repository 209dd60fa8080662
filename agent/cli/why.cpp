// `sluice why`: what became of a record, for people or as a JSON object.
#include "agent/cli/why_answer.hpp"
#include "agent/text.hpp"
#include "bridge/payload/timestamp.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <iostream>
#include <limits>

namespace sluice::agent {

namespace {

using storage::Offset;

constexpr std::size_t kColumns = 80;

std::string shown(const std::optional<std::string>& bytes) {
    if (!bytes) return "null";
    return is_utf8(*bytes) ? one_line(*bytes) : "base64:" + base64(*bytes);
}

/// Breaks at spaces; what follows the first line is indented.
std::string wrapped(const std::string& text) {
    const std::string indent = "  ";
    std::string lines;
    std::size_t column = 0;
    for (std::size_t from = 0; from < text.size();) {
        const auto to = std::min(text.find(' ', from), text.size());
        const auto word = text.substr(from, to - from);
        if (column > 0 && column + 1 + word.size() > kColumns) {
            lines += "\n" + indent;
            column = indent.size();
        } else if (column > 0) {
            lines += " ";
            ++column;
        }
        lines += word;
        column += word.size();
        from = to + 1;
    }
    return lines + "\n";
}

const char* name_of(Fate fate) {
    switch (fate) {
        case Fate::delivered:
            return "delivered";
        case Fate::forwarded:
            return "forwarded";
        case Fate::waiting:
            return "waiting";
        case Fate::dead_lettered:
            return "dead-lettered";
        case Fate::given_up:
            return "given-up";
        case Fate::compacted:
            return "compacted";
        case Fate::deleted:
            return "deleted";
        case Fate::not_there_yet:
            return "not-there-yet";
    }
    return "";
}

std::string shown(const storage::Delivered& delivered) {
    return "topic " + delivered.topic + ", partition " + std::to_string(delivered.place.partition) + ", offset " +
           std::to_string(delivered.place.offset) + ", acknowledged by " + format_time(delivered.at);
}

std::string why_it_waits(const WhyAnswer& answer) {
    const auto state = [](const std::string& of, const storage::Waiting& waiting) {
        return of + " since " + format_time(waiting.since) + ": " + waiting.why;
    };
    const auto before = answer.offset - answer.cursor.value_or(answer.start);
    const auto position = std::to_string(before) + (before == 1 ? " offset is" : " offsets are") + " before it";
    if (!answer.forwards) return "nothing has forwarded this stream yet";
    std::string text = answer.agent_runs ? position : "the agent is not running; " + position;
    const auto stream = answer.stream_state && !answer.stream_state->why.empty();
    const auto cluster = answer.cluster_state && !answer.cluster_state->why.empty();
    if (!answer.agent_runs && (stream || cluster)) text += "; when it last ran";
    if (stream) text += (answer.agent_runs ? "; " : ", ") + state("the stream was held", *answer.stream_state);
    if (cluster) text += (answer.agent_runs ? "; " : ", ") + state("the cluster was away", *answer.cluster_state);
    if (answer.unconfirmed) {
        text += "; it is at " + shown(*answer.unconfirmed) + ", in a transaction that is not known to be committed";
    }
    return text;
}

/// The verdict and what there is to say of it.
std::string explained(const WhyAnswer& answer) {
    std::string text;
    switch (answer.fate) {
        case Fate::delivered:
            for (const auto& place : answer.places) {
                text += wrapped((text.empty() ? "delivered: " : "and again: ") + shown(place));
            }
            return text;
        case Fate::forwarded:
            return wrapped(
                "forwarded: the forwarder has passed it; the place isn't known (its proof is older than "
                "kafka.proof_retention, or was switched off, or lost with the power)");
        case Fate::waiting:
            return wrapped("waiting: " + why_it_waits(answer));
        case Fate::dead_lettered:
            return wrapped("dead-lettered: it is " + answer.letter->stream + " offset " +
                           std::to_string(answer.letter->offset.value()) + ": " + answer.reason) +
                   "the dead letter: " + explained(*answer.letter);
        case Fate::given_up:
            return wrapped("given up" + (answer.at ? " at " + format_time(*answer.at) : std::string()) + ": " +
                           answer.reason);
        case Fate::compacted:
            return wrapped(
                "compacted: the log holds it no more, and offsets before and after it are there; a newer record of "
                "its key stands for it");
        case Fate::deleted:
            return wrapped("deleted: the log begins at offset " + std::to_string(answer.start.value()) +
                           ", and nothing tells whether it was forwarded before");
        case Fate::not_there_yet:
            return wrapped("not there yet: the log ends before offset " + std::to_string(answer.end.value()));
    }
    return text;
}

nlohmann::ordered_json json_of(const storage::Delivered& delivered) {
    return {{"topic", delivered.topic},
            {"partition", delivered.place.partition},
            {"offset", delivered.place.offset},
            {"at", delivered.at.time_since_epoch().count()}};
}

nlohmann::ordered_json json_of(const WhyAnswer& answer) {
    nlohmann::ordered_json json;
    json["stream"] = answer.stream;
    json["offset"] = answer.offset.value();
    json["log_id"] = answer.log_id ? nlohmann::ordered_json(answer.log_id->to_string()) : nullptr;
    json["fate"] = name_of(answer.fate);
    auto& places = json["places"] = nlohmann::ordered_json::array();
    for (const auto& place : answer.places) places.push_back(json_of(place));
    if (answer.fate == Fate::waiting) json["why"] = why_it_waits(answer);
    if (answer.unconfirmed) json["unconfirmed"] = json_of(*answer.unconfirmed);
    if (!answer.reason.empty()) json["reason"] = answer.reason;
    if (answer.at) json["at"] = answer.at->time_since_epoch().count();
    if (answer.letter) json["dead_letter"] = json_of(*answer.letter);
    if (answer.record) {
        json["timestamp"] = answer.record->timestamp.time_since_epoch().count();
        json["key"] = answer.record->key ? nlohmann::ordered_json(shown(answer.record->key)) : nullptr;
    }
    json["agent_running"] = answer.agent_runs;
    json["log_start_offset"] = answer.start.value();
    json["log_end_offset"] = answer.end.value();
    return json;
}

struct Nearest {
    Offset offset;
    std::int64_t away_ms;  ///< negative: before the time that was asked for
};

storage::Result<std::optional<Nearest>> find_nearest(storage::FileSystem& files, const StreamFiles& stream,
                                                     const std::string& key, storage::Timestamp at) {
    std::optional<Nearest> nearest;
    auto done = walk_batches(
        files, stream, Offset(0), key,
        [&](const storage::BatchHeader&, const std::vector<std::byte>& bytes) {
            const auto batch = storage::DecodedBatch::decode(bytes);
            if (!batch) return true;
            for (const auto& record : batch->records()) {
                if (record.key != std::string_view(key)) continue;
                const auto away = storage::timestamp_difference(record.timestamp, at);
                if (!nearest || std::abs(away) < std::abs(nearest->away_ms)) nearest = {record.offset, away};
            }
            return true;
        },
        [](const auto&, auto, auto) {}, [](Offset, Offset) {});
    if (!done) return done.error();
    return nearest;
}

std::string relation(std::int64_t away_ms) {
    if (away_ms == 0) return "at that time";
    return std::to_string(std::abs(away_ms)) + (away_ms < 0 ? " ms before" : " ms after") + " that time";
}

void print(const WhyAnswer& answer, const std::optional<Nearest>& nearest, bool as_json) {
    if (as_json) {
        auto json = json_of(answer);
        if (nearest) json["away_ms"] = nearest->away_ms;
        std::cout << json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
        return;
    }
    auto what = answer.stream + " offset " + std::to_string(answer.offset.value());
    if (answer.record) what += ", key " + shown(answer.record->key) + ", " + format_time(answer.record->timestamp);
    if (nearest) what += " (the nearest of this key: " + relation(nearest->away_ms) + ")";
    std::cout << wrapped(what) << explained(answer);
    if (answer.fate == Fate::delivered && !answer.record) {
        std::cout << wrapped("the local log holds it no more");
    }
    std::cout << "log id " << (answer.log_id ? answer.log_id->to_string() : "unreadable") << '\n';
}

}  // namespace

int why_command(const WhyArguments& arguments) {
    const bool by_key = arguments.key.has_value();
    if (arguments.offset.has_value() == by_key || by_key != !arguments.at.empty()) {
        std::cerr << "say which record: --offset N, or --key K and --at TIME\n";
        return kExitUsage;
    }
    const auto at = bridge::parse_rfc3339(arguments.at);
    if (by_key && !at) {
        std::cerr << "--at " << arguments.at << " is not a time (write 2026-01-31T23:59:00Z)\n";
        return kExitUsage;
    }
    const auto data_dir = data_dir_of(arguments.log);
    if (!data_dir) return kExitBadConfig;
    storage::PosixFileSystem files;
    const auto streams = find_streams(files, *data_dir, arguments.stream);
    if (!streams) return report_failure(streams.error());
    std::optional<Nearest> nearest;
    if (by_key) {
        const auto found = find_nearest(files, streams->front(), *arguments.key, *at);
        if (!found) return report_failure(found.error());
        if (!*found) {
            std::cerr << "the log of " << arguments.stream << " has no record with this key\n";
            return kExitFailure;
        }
        nearest = *found;
    }
    const auto answer = why(files, *data_dir, streams->front(), nearest ? nearest->offset : Offset(*arguments.offset));
    if (!answer) return report_failure(answer.error());
    print(*answer, nearest, arguments.json);
    std::cout.flush();
    return answer->fate == Fate::not_there_yet || !std::cout ? kExitFailure : kExitSuccess;
}

}  // namespace sluice::agent
