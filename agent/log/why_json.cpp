#include "agent/log/why_json.hpp"

#include "agent/text.hpp"

#include <nlohmann/json.hpp>

namespace sluice::agent {

namespace {

using storage::Offset;

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

nlohmann::ordered_json json_of(const storage::Delivered& delivered) {
    return {{"topic", delivered.topic},
            {"partition", delivered.place.partition},
            {"offset", delivered.place.offset},
            {"at", delivered.at.time_since_epoch().count()}};
}

}  // namespace

std::string shown_place(const storage::Delivered& delivered) {
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
        text +=
            "; it is at " + shown_place(*answer.unconfirmed) + ", in a transaction that is not known to be committed";
    }
    return text;
}

nlohmann::ordered_json why_json(const WhyAnswer& answer) {
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
    if (answer.letter) json["dead_letter"] = why_json(*answer.letter);
    if (answer.record) {
        json["timestamp"] = answer.record->timestamp.time_since_epoch().count();
        json["key"] = answer.record->key ? nlohmann::ordered_json(shown_bytes(answer.record->key)) : nullptr;
    }
    json["agent_running"] = answer.agent_runs;
    json["log_start_offset"] = answer.start.value();
    json["log_end_offset"] = answer.end.value();
    return json;
}

}  // namespace sluice::agent
