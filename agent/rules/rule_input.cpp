#include "agent/rules/rule_input.hpp"

#include "agent/csv.hpp"
#include "agent/log/files.hpp"
#include "bridge/payload/timestamp.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <vector>

namespace sluice::agent {

namespace {

using nlohmann::json;
using storage::Errc;
using storage::Error;
using storage::Offset;
using storage::RecordView;
using storage::Result;
using storage::Timestamp;

constexpr std::array<const char*, 3> kTimeNames{"timestamp", "ts", "time"};
constexpr const char* kDeviceName = "device";

bool has(const std::vector<std::string>& columns, std::string_view name) {
    return std::find(columns.begin(), columns.end(), name) != columns.end();
}

/// What a CSV field is in JSON: a number, a boolean, a text; nothing where it is empty.
void put(json& object, const std::string& name, const std::string& text) {
    if (text.empty()) return;
    double number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && std::isfinite(number))
        object[name] = number;
    else if (text == "true" || text == "false")
        object[name] = text == "true";
    else
        object[name] = text;
}

Result<void> read_csv(const RuleFileOptions& options, const OnRecord& on_record) {
    auto in = CsvReader::open(options.path);
    if (!in) return in.error();
    auto time_name = options.time;
    for (const auto* name : kTimeNames) {
        if (time_name.empty() && has(in->columns(), name)) time_name = name;
    }
    const auto time = in->column(time_name.empty() ? kTimeNames[0] : time_name);
    if (!time) return time.error();
    std::optional<std::size_t> device;
    if (!options.device.empty() || has(in->columns(), kDeviceName)) {
        const auto column = in->column(options.device.empty() ? kDeviceName : options.device);
        if (!column) return column.error();
        device = *column;
    }
    for (std::int64_t offset = 0;; ++offset) {
        const auto more = in->next();
        if (!more) return more.error();
        if (!*more) return {};
        const auto seconds = in->seconds(*time);
        if (!seconds) return seconds.error();
        json object = json::object();
        for (std::size_t i = 0; i < in->columns().size(); ++i) put(object, in->columns()[i], in->text(i));
        const auto payload = object.dump(-1, ' ', false, json::error_handler_t::replace);
        RecordView record;
        record.offset = Offset(offset);
        record.timestamp = Timestamp(std::chrono::milliseconds(std::llround(*seconds * 1000)));
        if (device) record.key = in->text(*device);
        record.value = payload;
        on_record(record);
    }
}

/// A line of `sluice log cat --json`.
void give_logged(const json& line, const OnRecord& on_record) {
    storage::Record record;
    record.timestamp = Timestamp(std::chrono::milliseconds(line.at("timestamp").get<std::int64_t>()));
    const auto text = [](const json& object, const char* name) {
        const auto found = object.find(name);
        return found != object.end() && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
    };
    std::vector<storage::HeaderView> headers;
    for (const auto& header : line.value("headers", json::array())) {
        record.headers.push_back({text(header, "key").value_or(""), text(header, "value")});
    }
    for (const auto& header : record.headers) headers.push_back({header.key, header.value});
    record.key = text(line, "key");
    record.value = text(line, "value");
    on_record({Offset(line.at("offset").get<std::int64_t>()), record.timestamp, record.key, record.value, headers});
}

Result<void> give_payload(const RuleFileOptions& options, const json& line, const std::string& text,
                          std::int64_t offset, const OnRecord& on_record) {
    auto time_name = options.time;
    for (const auto* name : kTimeNames) {
        if (time_name.empty() && line.contains(name)) time_name = name;
    }
    if (time_name.empty()) return Error(Errc::invalid, "no field timestamp, ts or time (name it: --time-column)");
    const auto time = bridge::payload_timestamp(text, "/" + time_name, bridge::TimestampFormat::automatic);
    if (!time) return time.error();
    const auto device_name = options.device.empty() ? std::string(kDeviceName) : options.device;
    std::optional<std::string> device;
    if (const auto found = line.find(device_name); found != line.end()) {
        device = found->is_string() ? found->get<std::string>() : found->dump();
    } else if (!options.device.empty()) {
        return Error(Errc::invalid, "no field " + options.device);
    }
    RecordView record;
    record.offset = Offset(offset);
    record.timestamp = *time;
    if (device) record.key = *device;
    record.value = text;
    on_record(record);
    return {};
}

Result<void> read_json_lines(const RuleFileOptions& options, const OnRecord& on_record) {
    std::ifstream file(options.path);
    if (!file) return Error::from_errno(errno, "open", options.path);
    std::int64_t number = 0;
    for (std::string text; std::getline(file, text); ++number) {
        if (text.empty()) continue;
        const auto at = options.path + ":" + std::to_string(number + 1);
        const auto line = json::parse(text, nullptr, false);
        if (!line.is_object()) return Error(Errc::invalid, at + ":1: not a JSON object (one a line)");
        if (line.contains("offset") && line.contains("headers") && line.contains("timestamp")) {
            give_logged(line, on_record);
        } else if (auto done = give_payload(options, line, text, number, on_record); !done) {
            return Error(Errc::invalid, at + ":1: " + done.error().message());
        }
    }
    return {};
}

}  // namespace

Result<void> read_rule_file(const RuleFileOptions& options, const OnRecord& on_record) {
    return options.path.ends_with(".csv") ? read_csv(options, on_record) : read_json_lines(options, on_record);
}

Result<void> read_rule_stream(const std::string& data_dir, const std::string& stream, std::int64_t from,
                              std::optional<std::int64_t> to, const OnRecord& on_record, const OnTrouble& on_trouble) {
    storage::PosixFileSystem files;
    const auto streams = find_streams(files, data_dir, stream);
    if (!streams) return streams.error();
    storage::DecodedBatch memory;
    const auto take = [&](const storage::BatchHeader& header, const std::vector<std::byte>& bytes) {
        if (to && header.base_offset > Offset(*to)) return false;
        auto batch = storage::DecodedBatch::decode(bytes, std::move(memory));
        if (!batch) {
            on_trouble("the batch at offset " + std::to_string(header.base_offset.value()) + ": " +
                       batch.error().message());
            memory = {};
            return true;
        }
        for (const auto& record : batch->records()) {
            if (record.offset >= Offset(from) && (!to || record.offset <= Offset(*to))) on_record(record);
        }
        memory = std::move(*batch);
        return true;
    };
    return walk_batches(
        files, streams->front(), Offset(from), std::nullopt, take,
        [&](const std::string& path, storage::FilePosition first, storage::FilePosition) {
            on_trouble(path + ":" + std::to_string(first.value()) + ": damaged");
        },
        [&](Offset first, Offset next) {
            on_trouble("offsets " + std::to_string(first.value()) + " to " + std::to_string(next.value() - 1) +
                       " are missing");
        });
}

}  // namespace sluice::agent
