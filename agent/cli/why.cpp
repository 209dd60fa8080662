// `sluice why`: what became of a record, for people or as a JSON object.
#include "agent/cli/data_dir.hpp"
#include "agent/log/why_answer.hpp"
#include "agent/log/why_json.hpp"
#include "agent/text.hpp"
#include "bridge/payload/timestamp.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <iostream>
#include <limits>

namespace sluice::agent {

namespace {

using storage::Offset;

constexpr std::size_t kAnswerColumns = 80;

/// Breaks at spaces; what follows the first line is indented.
std::string wrapped(const std::string& text) {
    const std::string indent = "  ";
    std::string lines;
    std::size_t column = 0;
    for (std::size_t from = 0; from < text.size();) {
        const auto to = std::min(text.find(' ', from), text.size());
        const auto word = text.substr(from, to - from);
        if (column > 0 && column + 1 + word.size() > kAnswerColumns) {
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

/// The verdict and what there is to say of it.
std::string explained(const WhyAnswer& answer) {
    std::string text;
    switch (answer.fate) {
        case Fate::delivered:
            for (const auto& place : answer.places) {
                text += wrapped((text.empty() ? "delivered: " : "and again: ") + shown_place(place));
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
        auto json = why_json(answer);
        if (nearest) json["away_ms"] = nearest->away_ms;
        std::cout << json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
        return;
    }
    auto what = answer.stream + " offset " + std::to_string(answer.offset.value());
    if (answer.record)
        what += ", key " + shown_bytes(answer.record->key) + ", " + format_time(answer.record->timestamp);
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
