// `sluice log cat`: the records of a stream, for people or one JSON object a line.
#include "agent/cli/log_files.hpp"
#include "agent/text.hpp"

#include <nlohmann/json.hpp>

#include <iostream>
#include <limits>

namespace sluice::agent {

namespace {

using storage::DecodedBatch;
using storage::Offset;
using storage::RecordView;

std::string shown(const std::optional<std::string_view>& bytes) {
    if (!bytes) return "null";
    return is_utf8(*bytes) ? one_line(*bytes) : "base64:" + base64(*bytes);
}

/// OFFSET  TIME  KEY  VALUE  HEADER=VALUE …
std::string text_line(const RecordView& record) {
    std::string line = std::to_string(record.offset.value()) + "  " + format_time(record.timestamp) + "  " +
                       shown(record.key) + "  " + shown(record.value) + " ";
    for (const auto& header : record.headers) line += " " + shown(header.key) + "=" + shown(header.value);
    return line + "\n";
}

/// Under `name` as a string where it is UTF-8, under `name`_base64 where it is not.
void put(nlohmann::ordered_json& object, const std::string& name, const std::optional<std::string_view>& bytes) {
    if (!bytes)
        object[name] = nullptr;
    else if (is_utf8(*bytes))
        object[name] = *bytes;
    else
        object[name + "_base64"] = base64(*bytes);
}

std::string json_line(const RecordView& record) {
    nlohmann::ordered_json line;
    line["offset"] = record.offset.value();
    line["timestamp"] = record.timestamp.time_since_epoch().count();
    line["time"] = format_time(record.timestamp);
    put(line, "key", record.key);
    put(line, "value", record.value);
    auto& headers = line["headers"] = nlohmann::ordered_json::array();
    for (const auto& header : record.headers) {
        auto& object = headers.emplace_back(nlohmann::ordered_json::object());
        put(object, "key", header.key);
        put(object, "value", header.value);
    }
    return line.dump() + "\n";
}

class Printer {
 public:
    explicit Printer(const LogCatArguments& arguments)
        : arguments_(arguments),
          to_(arguments.to.value_or(std::numeric_limits<std::int64_t>::max())),
          left_(arguments.limit.value_or(std::numeric_limits<std::uint64_t>::max())) {}

    /// @return false where no later batch is wanted
    bool take(const storage::BatchHeader& header, const std::vector<std::byte>& bytes) {
        if (header.last_offset() < Offset(arguments_.from)) return true;
        if (header.base_offset > to_ || left_ == 0) return false;
        const auto batch = DecodedBatch::decode(bytes);
        if (!batch) {
            complain("the batch at offset " + std::to_string(header.base_offset.value()), batch.error().message());
            return true;
        }
        for (const auto& record : batch->records()) {
            if (!is_wanted(record) || left_ == 0) continue;
            --left_;
            std::cout << (arguments_.json ? json_line(record) : text_line(record));
        }
        return left_ > 0 && std::cout.good();
    }

    void complain(const std::string& where, const std::string& what) {
        std::cerr << where << ": " << what << " (skipped)\n";
        damaged_ = true;
    }
    [[nodiscard]] bool damaged() const { return damaged_; }

 private:
    [[nodiscard]] bool is_wanted(const RecordView& record) const {
        return record.offset >= Offset(arguments_.from) && record.offset <= to_ &&
               (!arguments_.key || record.key == std::string_view(*arguments_.key));
    }

    const LogCatArguments& arguments_;
    const Offset to_;
    std::uint64_t left_;
    bool damaged_ = false;
};

}  // namespace

int log_cat_command(const LogCatArguments& arguments) {
    const auto data_dir = data_dir_of(arguments.log);
    if (!data_dir) return kExitBadConfig;
    storage::PosixFileSystem files;
    const auto streams = find_streams(files, *data_dir, arguments.stream);
    if (!streams) return report_failure(streams.error());
    Printer printer(arguments);
    const auto done = walk_batches(
        files, streams->front(), Offset(arguments.from),
        [&](const storage::BatchHeader& header, const std::vector<std::byte>& bytes) {
            return printer.take(header, bytes);
        },
        [&](const std::string& path, storage::FilePosition from, storage::FilePosition to) {
            printer.complain(path + ":" + std::to_string(from.value()),
                             std::to_string(to - from) + " bytes are damaged");
        });
    std::cout.flush();
    if (!done) return report_failure(done.error());
    return printer.damaged() || !std::cout ? kExitFailure : kExitSuccess;
}

}  // namespace sluice::agent
