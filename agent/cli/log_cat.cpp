// `sluice log cat`: the records of a stream, for people or one JSON object a line.
#include "agent/cli/data_dir.hpp"
#include "agent/log/files.hpp"
#include "agent/record_json.hpp"
#include "agent/text.hpp"
#include "bridge/payload/timestamp.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <charconv>
#include <iostream>
#include <limits>
#include <utility>

namespace sluice::agent {

namespace {

using storage::DecodedBatch;
using storage::Offset;
using storage::RecordView;

/// OFFSET  TIME  KEY  VALUE  [HEADER=VALUE …]
std::string text_line(const RecordView& record, bool headers) {
    std::string line = std::to_string(record.offset.value()) + "  " + format_time(record.timestamp) + "  " +
                       shown_bytes(record.key) + "  " + shown_bytes(record.value);
    if (headers && !record.headers.empty()) line += " ";
    for (const auto& header : record.headers) {
        if (headers) line += " " + shown_bytes(header.key) + "=" + shown_bytes(header.value);
    }
    return line + "\n";
}

/// One end of what is asked for: an offset or a time.
struct Bound {
    std::optional<Offset> offset;
    std::optional<storage::Timestamp> time;
};

/// @return nullopt for what is neither
std::optional<Bound> parse_bound(const std::string& text) {
    if (text.empty()) return Bound{};
    std::int64_t offset = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), offset);
    if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && offset >= 0)
        return Bound{Offset(offset), {}};
    constexpr std::size_t kDateChars = 10;
    const auto time = bridge::parse_rfc3339(text.size() == kDateChars ? text + "T00:00:00Z" : text);
    if (!time) return std::nullopt;
    return Bound{{}, *time};
}

class Printer {
 public:
    Printer(const LogCatArguments& arguments, const Bound& from, const Bound& to)
        : arguments_(arguments),
          from_(from),
          to_(to),
          left_(arguments.limit.value_or(std::numeric_limits<std::uint64_t>::max())) {}

    /// @return false where no later batch is wanted
    bool take(const storage::BatchHeader& header, const std::vector<std::byte>& bytes) {
        complain_of_damage();
        if (from_.offset && header.last_offset() < *from_.offset) return true;
        if ((to_.offset && header.base_offset > *to_.offset) || left_ == 0) return false;
        const auto batch = DecodedBatch::decode(bytes);
        if (!batch) {
            complain("the batch at offset " + std::to_string(header.base_offset.value()), batch.error().message());
            return true;
        }
        for (const auto& record : batch->records()) {
            if (!is_wanted(record) || left_ == 0) continue;
            --left_;
            printed_ = true;
            std::cout << (arguments_.json ? shown_json(record) : text_line(record, arguments_.headers));
        }
        return left_ > 0 && std::cout.good();
    }

    void complain(const std::string& where, const std::string& what) {
        std::cerr << where << ": " << what << " (skipped)\n";
        damaged_ = true;
    }
    /// Which offsets were there, if any, is known with the next batch.
    void note_damage(const std::string& path, storage::FilePosition from, storage::FilePosition to) {
        complain_of_damage();
        damage_ = {path + ":" + std::to_string(from.value()), std::to_string(to - from) + " bytes are damaged"};
    }
    void complain_of_damage() {
        if (const auto damage = std::exchange(damage_, std::nullopt)) complain(damage->first, damage->second);
    }
    void complain_of_hole(Offset first, Offset next) {
        const auto damage = std::exchange(damage_, std::nullopt);
        if ((to_.offset && first > *to_.offset) || (from_.offset && next <= *from_.offset)) return;
        if (damage) complain(damage->first, damage->second);
        complain("offsets " + std::to_string(first.value()) + " to " + std::to_string(next.value() - 1),
                 damage ? "were in these bytes" : "the end of a segment, or a whole one, is missing");
    }
    [[nodiscard]] bool damaged() const { return damaged_; }
    [[nodiscard]] bool printed() const { return printed_; }

 private:
    /// A pipe gets it as it is.
    [[nodiscard]] std::string shown_json(const RecordView& record) const {
        const auto line = record_json(record).dump() + "\n";
        return terminal_ ? json_for_terminal(line) : line;
    }

    [[nodiscard]] bool is_wanted(const RecordView& record) const {
        const bool from =
            (!from_.offset || record.offset >= *from_.offset) && (!from_.time || record.timestamp >= *from_.time);
        const bool to = (!to_.offset || record.offset <= *to_.offset) && (!to_.time || record.timestamp <= *to_.time);
        return from && to && (!arguments_.key || record.key == std::string_view(*arguments_.key));
    }

    const LogCatArguments& arguments_;
    const Bound from_;
    const Bound to_;
    const bool terminal_ = ::isatty(STDOUT_FILENO) == 1;
    std::uint64_t left_;
    bool printed_ = false;
    bool damaged_ = false;
    std::optional<std::pair<std::string, std::string>> damage_;  // where and what: not complained of yet
};

}  // namespace

int log_cat_command(const LogCatArguments& arguments) {
    const auto from = parse_bound(arguments.from);
    const auto to = parse_bound(arguments.to);
    if (!from || !to) {
        std::cerr << (from ? "--to " + arguments.to : "--from " + arguments.from)
                  << " is neither an offset nor a time (write 4711, 2026-01-31T23:59:00Z or 2026-01-31)\n";
        return kExitUsage;
    }
    if ((from->offset && to->offset && *to->offset < *from->offset) ||
        (from->time && to->time && *to->time < *from->time)) {
        std::cerr << "--to " << arguments.to << " is before --from " << arguments.from << " (both ends are included)\n";
        return kExitUsage;
    }
    const auto data_dir = data_dir_of(arguments.log);
    if (!data_dir) return kExitBadConfig;
    storage::PosixFileSystem files;
    const auto streams = find_streams(files, *data_dir, arguments.stream);
    if (!streams) return report_failure(streams.error());
    const auto& stream = streams->front();
    if (stream.unreadable) return report_failure(*stream.unreadable);
    const auto start = from->time ? first_offset_since(files, stream, *from->time)
                                  : storage::Result<Offset>(from->offset.value_or(Offset(0)));
    if (!start) return report_failure(start.error());
    Printer printer(arguments, *from, *to);
    const auto done = walk_batches(
        files, stream, *start, arguments.key,
        [&](const storage::BatchHeader& header, const std::vector<std::byte>& bytes) {
            return printer.take(header, bytes);
        },
        [&](const std::string& path, storage::FilePosition damaged_from, storage::FilePosition damaged_to) {
            printer.note_damage(path, damaged_from, damaged_to);
        },
        [&](Offset first, Offset next) { printer.complain_of_hole(first, next); });
    printer.complain_of_damage();
    std::cout.flush();
    if (!done) return report_failure(done.error());
    if (from->offset && !arguments.key && !printer.printed() && arguments.limit != 0) {
        std::cerr << "no such record at offset " << arguments.from
                  << " or later (a time is written 2026-01-31T23:59:00Z or 2026-01-31)\n";
    }
    return printer.damaged() || !std::cout ? kExitFailure : kExitSuccess;
}

}  // namespace sluice::agent
