#include "agent/cli/status_view.hpp"

#include "agent/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <optional>
#include <sstream>
#include <string_view>
#include <vector>

namespace sluice::agent {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kColumns = 80;
constexpr std::size_t kLabel = 10;
constexpr const char* kRed = "\x1b[31m";
constexpr const char* kGreen = "\x1b[32m";
constexpr const char* kNoColour = "\x1b[0m";

std::string format(const char* how, double value, const char* unit) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), how, value, unit);
    return text.data();
}

std::string text_of(const Json& value) {
    return value.is_string() ? one_line(value.get<std::string>()) : std::string();
}

std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

/// The first `most` characters, the last of which says that there is more.
std::string cut(const std::string& text, std::size_t most) {
    if (width_of(text) <= most) return text;
    std::size_t bytes = 0;
    for (std::size_t characters = 0; bytes < text.size(); ++bytes) {
        if ((static_cast<unsigned char>(text[bytes]) & 0xc0U) != 0x80U && ++characters == most) break;
    }
    return text.substr(0, bytes) + "~";
}

std::string padded(const std::string& text, std::size_t width, bool right) {
    const auto all = cut(text, width);
    const std::string space(width - std::min(width, width_of(all)), ' ');
    return right ? space + all : all + space;
}

/// Words on as many lines as they need, the later ones under the first.
std::string paragraph(const std::string& label, const std::string& text) {
    std::string out = padded(label, kLabel, false);
    std::size_t column = kLabel;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        const auto shown = cut(word, kColumns - kLabel - 1);
        if (column > kLabel && column + 1 + width_of(shown) >= kColumns) {
            out += "\n" + std::string(kLabel, ' ');
            column = kLabel;
        }
        if (column > kLabel) {
            out += ' ';
            ++column;
        }
        out += shown;
        column += width_of(shown);
    }
    return out + "\n";
}

std::optional<double> seconds_since(const Json& time, const Json& now) {
    const auto parse = [](const Json& value) -> std::optional<double> {
        std::tm parts{};
        if (!value.is_string() ||
            ::strptime(value.get<std::string>().c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) {
            return std::nullopt;
        }
        return static_cast<double>(::timegm(&parts));
    };
    const auto then = parse(time);
    const auto at = parse(now);
    if (!then || !at) return std::nullopt;
    return std::max(0.0, *at - *then);
}

std::string link_text(const Json& link, const Json& now) {
    const bool connected = link.at("connected").get<bool>();
    std::string text = connected ? "connected" : "NOT CONNECTED";
    if (const auto since = seconds_since(link.at("since"), now)) text += " for " + short_time(*since);
    if (const auto why = text_of(link.at("why")); !why.empty()) text += ": " + why;
    return text;
}

std::string per_second(const Json& rate) {
    return short_count(rate.get<double>()) + "/s";
}

std::string head(const Json& status, bool colour) {
    const auto& agent = status.at("agent");
    const bool ready = status.at("ready").get<bool>();
    const auto left = text_of(agent.at("id")) + "  sluice " + text_of(agent.at("version")) + ", up " +
                      short_time(agent.at("uptime_seconds").get<double>());
    const std::string word = ready ? "ready" : "NOT READY";
    const auto line = padded(left, kColumns - 1 - word.size(), false);
    return line + (colour ? (ready ? kGreen : kRed) : "") + word + (colour ? kNoColour : "") + "\n";
}

std::string messages(const Json& status) {
    const auto& messages = status.at("messages");
    const auto& backlog = status.at("backlog");
    const auto count = [&](const char* key) { return short_count(messages.at(key).get<double>()); };
    auto text =
        paragraph("in", count("received") + " received " + per_second(messages.at("received_per_second")) + ", " +
                            count("accepted") + " durable " + per_second(messages.at("accepted_per_second")) +
                            (messages.at("dead_lettered").get<double>() > 0
                                 ? ", " + count("dead_lettered") + " without a route or too large"
                                 : ""));
    std::string out = count("forwarded") + " forwarded " + per_second(messages.at("forwarded_per_second")) +
                      ", backlog " + short_count(backlog.at("records").get<double>());
    if (backlog.at("records").get<double>() > 0) {
        const auto& drain = backlog.at("drain_seconds");
        out += drain.is_null() ? ", not shrinking" : ", gone in " + short_time(drain.get<double>());
    }
    return text + paragraph("out", status.at("kafka").is_null() ? "nothing is forwarded: there is no [kafka]" : out);
}

std::string uplink(const Json& uplink, const Json& now) {
    const auto state = text_of(uplink.at("state"));
    if (state == "open") return "";
    auto text = state == "paused" ? std::string("PAUSED") : std::string("outside of its windows");
    if (const auto since = seconds_since(uplink.at("since"), now)) text += " for " + short_time(*since);
    if (const auto why = text_of(uplink.at("why")); !why.empty()) text += ", " + why;
    if (const auto opens = text_of(uplink.at("opens_at")); !opens.empty()) text += "; opens at " + opens;
    return paragraph("uplink", text + (state == "paused" ? " (sluice uplink resume ends it)" : ""));
}

std::string links(const Json& status) {
    std::string text;
    const auto& now = status.at("time");
    if (const auto& kafka = status.at("kafka"); !kafka.is_null()) {
        text += paragraph("kafka", text_of(kafka.at("brokers")) + ", " + text_of(kafka.at("delivery")) + ": " +
                                       link_text(kafka, now));
        text += uplink(kafka.at("uplink"), now);
    }
    for (const auto& source : status.at("sources")) {
        text += paragraph("source", text_of(source.at("name")) + ": " + link_text(source, now));
    }
    if (const auto& listener = status.at("listener"); !listener.is_null()) {
        const auto count = [&](const char* key) { return short_count(listener.at(key).get<double>()); };
        text += paragraph("listener", count("connections") + " connections, " + count("sessions") + " sessions, " +
                                          count("retained") + " retained, " + count("refused") + " refused");
    }
    return text;
}

std::string alerts(const Json& status) {
    const auto rules = status.find("rules");  // an agent of an older version has none
    if (rules == status.end() || rules->is_null()) return "";
    const auto firing = rules->at("firing").get<double>();
    if (firing == 0) return paragraph("alerts", "none fires");
    std::string text;
    for (const auto& [rule, count] : rules->at("firing_by_rule").items()) {
        if (count.get<double>() > 0)
            text += (text.empty() ? ": " : ", ") + one_line(rule) + " " + short_count(count.get<double>());
    }
    return paragraph("alerts", short_count(firing) + " firing" + text + " (sluice alerts says which)");
}

std::string disk(const Json& status) {
    const auto& storage = status.at("storage");
    std::string text = short_size(storage.at("used_bytes").get<double>());
    text += storage.at("quota_bytes").is_null() ? std::string(", no quota")
                                                : " of " + short_size(storage.at("quota_bytes").get<double>());
    if (!storage.at("flash_bytes_today").is_null()) {
        text += "; " + short_size(storage.at("flash_bytes_today").get<double>()) + " to flash today";
    }
    if (!storage.at("flash_days_left").is_null()) {
        text += ", " + short_count(storage.at("flash_days_left").get<double>()) + " days left";
    }
    auto page = paragraph("disk", text);
    std::string lost;
    for (const auto& [cause, count] : storage.at("given_up").items()) {
        if (count.get<double>() == 0) continue;
        lost += (lost.empty() ? "" : ", ") + short_count(count.get<double>()) + " " + one_line(cause);
    }
    if (!lost.empty()) page += paragraph("given up", lost + " (sluice log cat sluice.events says which)");
    return page;
}

std::string streams(const Json& status) {
    constexpr std::array<std::size_t, 7> kWidths = {29, 10, 5, 8, 8, 8, 11};
    const auto row = [&](const std::array<std::string, 7>& cells) {
        std::string line = padded(cells[0], kWidths[0], false);
        for (std::size_t i = 1; i < cells.size(); ++i) line += padded(cells[i], kWidths[i], true);
        return line + "\n";
    };
    auto page = "\n" + row({"STREAM", "SIZE", "SEGS", "IN/S", "OUT/S", "BACKLOG", "DRAIN"});
    for (const auto& stream : status.at("streams")) {
        const auto& forwarding = stream.at("forwarding");
        const bool goes = !forwarding.is_null();
        const auto backlog = goes ? forwarding.at("backlog").get<double>() : 0;
        std::string drain = goes ? "-" : "stays here";
        if (goes && backlog > 0) {
            const auto& seconds = forwarding.at("drain_seconds");
            drain = seconds.is_null() ? "growing" : short_time(seconds.get<double>());
        }
        page += row({text_of(stream.at("name")), short_size(stream.at("bytes").get<double>()),
                     short_count(stream.at("segments").get<double>()),
                     short_count(stream.at("appended_per_second").get<double>()),
                     goes ? short_count(forwarding.at("forwarded_per_second").get<double>()) : "-",
                     goes ? short_count(backlog) : "-", drain});
    }
    return page;
}

}  // namespace

std::string short_size(double bytes) {
    constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < kUnits.size()) {
        bytes /= 1024;
        ++unit;
    }
    return format(unit == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
}

std::string short_time(double seconds) {
    const auto whole = static_cast<long long>(seconds);
    const auto two = [](long long large, const char* large_unit, long long small, const char* small_unit) {
        auto text = std::to_string(large) + large_unit;
        return small == 0 ? text : text + " " + std::to_string(small) + small_unit;
    };
    if (whole < 60) return std::to_string(whole) + " s";
    if (whole < 3600) return std::to_string(whole / 60) + " min";
    if (whole < 86'400) return two(whole / 3600, " h", whole % 3600 / 60, " min");
    return two(whole / 86'400, " d", whole % 86'400 / 3600, " h");
}

std::string short_count(double count) {
    constexpr double kThousand = 1000;
    if (count < kThousand)
        return format(count == static_cast<double>(static_cast<long long>(count)) ? "%.0f%s" : "%.1f%s", count, "");
    constexpr std::array<const char*, 4> kUnits = {"k", "M", "G", "T"};
    std::size_t unit = 0;
    count /= kThousand;
    while (count >= kThousand && unit + 1 < kUnits.size()) {
        count /= kThousand;
        ++unit;
    }
    return format(count >= 100 ? "%.0f%s" : "%.1f%s", count, kUnits[unit]);
}

std::string devices_page(const Json& devices) {
    const auto row = [](const std::string& key, const std::string& stream, const std::string& silent,
                        const std::string& rate, const std::string& value) {
        return padded(key, 20, false) + " " + padded(stream, 14, false) + padded(silent, 11, true) +
               padded(rate, 9, true) + "  " + cut(value, 21) + "\n";
    };
    auto page = row("DEVICE", "STREAM", "SILENT FOR", "PER MIN", "LAST VALUE");
    for (const auto& device : devices) {
        const auto& rate = device.at("per_minute");
        page += row(text_of(device.at("key")), text_of(device.at("stream")),
                    short_time(device.at("silent_seconds").get<double>()),
                    rate.is_null() ? "-" : short_count(rate.get<double>()), text_of(device.at("value")));
    }
    return page;
}

std::string alerts_page(const Json& alerts) {
    const auto row = [](const std::string& at, const std::string& what, const std::string& rule,
                        const std::string& device) {
        return padded(at, 20, false) + " " + padded(what, 9, false) + " " + padded(rule, 24, false) + " " +
               cut(device, 24) + "\n";
    };
    if (alerts.empty()) return "no alert\n";
    auto page = row("SINCE", "", "RULE", "DEVICE");
    for (const auto& alert : alerts) {
        const bool firing = alert.at("state") == "firing";
        const auto at = text_of(alert.at(firing ? "start" : "at"));
        page += row(at.substr(0, 10) + " " + at.substr(std::min<std::size_t>(at.size(), 11), 8),
                    firing ? text_of(alert.at("severity")) : "resolved", text_of(alert.at("rule")),
                    text_of(alert.at("device")));
        if (const auto message = text_of(alert.at("message")); !message.empty()) {
            page += "    " + cut(message, kColumns - 5) + "\n";
        }
    }
    return page;
}

std::string status_page(const Json& status, bool colour) {
    auto page = head(status, colour) + messages(status) + alerts(status) + links(status) + disk(status);
    for (const auto& reason : status.at("reasons")) page += paragraph("reason", text_of(reason));
    for (const auto& note : status.at("notes")) page += paragraph("note", text_of(note));
    return page + streams(status);
}

}  // namespace sluice::agent
