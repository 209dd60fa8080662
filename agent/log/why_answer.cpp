#include "agent/log/why_answer.hpp"

#include "agent/config.hpp"
#include "agent/log/cursors.hpp"
#include "bridge/dead_letter.hpp"
#include "bridge/kafka/forwarder.hpp"
#include "storage/gap_note.hpp"

#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <sstream>

namespace sluice::agent {

namespace {

using storage::Errc;
using storage::Offset;
using storage::RecordView;
using storage::Result;

/// Called for each record from `from` on; false ends it. What is damaged is passed over.
Result<void> each_record(storage::FileSystem& files, const StreamFiles& stream, Offset from,
                         const std::function<bool(const RecordView&)>& take) {
    const auto on_batch = [&](const storage::BatchHeader&, const std::vector<std::byte>& bytes) {
        const auto batch = storage::DecodedBatch::decode(bytes);
        if (!batch) return true;
        for (const auto& record : batch->records()) {
            if (record.offset >= from && !take(record)) return false;
        }
        return true;
    };
    return walk_batches(
        files, stream, from, {}, on_batch, [](const auto&, auto, auto) {}, [](Offset, Offset) {});
}

Result<std::optional<storage::Record>> read_record(storage::FileSystem& files, const StreamFiles& stream,
                                                   Offset offset) {
    std::optional<storage::Record> found;
    auto done = each_record(files, stream, offset, [&](const RecordView& record) {
        if (record.offset == offset) found = record.to_record();
        return false;
    });
    if (!done) return done.error();
    return found;
}

/// Only the last segment has to be walked.
Result<Offset> end_of(storage::FileSystem& files, const StreamFiles& stream) {
    if (stream.segments.empty()) return Offset(0);
    const auto last = stream.segments.back();
    const auto segment = files.open(stream.segment_path(last), storage::OpenMode::read);
    if (!segment) return segment.error();
    const auto scan = storage::scan_segment(**segment, last, stream.marks);
    if (!scan) return scan.error();
    return scan->next_offset;
}

std::optional<StreamFiles> find_stream(storage::FileSystem& files, const std::string& data_dir, const char* name) {
    auto found = find_streams(files, data_dir, name);
    return found ? std::optional(std::move(found->front())) : std::nullopt;
}

class Inquiry {
 public:
    Inquiry(storage::FileSystem& files, const std::string& data_dir, const StreamFiles& stream, WhyAnswer& answer)
        : files_(files), data_dir_(data_dir), stream_(stream), answer_(answer) {}

    Result<void> run() {
        auto end = end_of(files_, stream_);
        if (!end) return end.error();
        answer_.end = *end;
        answer_.start = stream_.segments.empty() ? Offset(0) : stream_.segments.front();
        if (auto done = ask_proofs(); !done) return done;
        if (answer_.offset < answer_.end) {
            auto record = read_record(files_, stream_, answer_.offset);
            if (!record) return record.error();
            answer_.record = std::move(*record);
        }
        answer_.fate = fate();
        return {};
    }

 private:
    /// First the proofs and then the cursor would make what happens between the two look unknown.
    Result<void> ask_proofs() {
        if (!stream_.log_id) return {};
        for (const auto& cursor : read_cursors(files_, data_dir_)) {
            const bool ours = cursor.stream == stream_.stream && cursor.log_id == *stream_.log_id;
            if (ours && cursor.reader == bridge::kafka::kForwardReader) answer_.cursor = cursor.offset;
        }
        const auto cursor_of = [&](const std::string&) { return answer_.cursor; };
        auto found = storage::find_delivery(files_, data_dir_ + "/" + kProofsDirectory, stream_.stream, *stream_.log_id,
                                            answer_.offset, cursor_of);
        answer_.forwards = answer_.cursor.has_value();
        if (!found && found.error().kind() == Errc::not_found) return {};
        if (!found) return found.error();
        answer_.forwards |= found->forwarded;
        answer_.places = std::move(found->places);
        answer_.unconfirmed = std::move(found->unconfirmed);
        answer_.stream_state = std::move(found->stream);
        answer_.cluster_state = std::move(found->cluster);
        return {};
    }

    Fate fate() {
        if (!answer_.places.empty()) return Fate::delivered;
        if (find_letter()) return Fate::dead_lettered;
        const bool passed = answer_.cursor && *answer_.cursor > answer_.offset;
        if (answer_.record) return passed ? Fate::forwarded : Fate::waiting;
        if (find_gap()) return Fate::given_up;
        if (answer_.offset >= answer_.end) return Fate::not_there_yet;
        if (answer_.offset >= answer_.start) return Fate::compacted;
        return passed ? Fate::forwarded : Fate::deleted;
    }

    bool find_letter() {
        const auto letters = find_stream(files_, data_dir_, kDeadLetterStream);
        if (!letters || !stream_.log_id || stream_.stream == kDeadLetterStream) return false;
        const auto log_id = stream_.log_id->to_string();
        const auto number = std::to_string(answer_.offset.value());
        std::optional<Offset> at;
        const auto done = each_record(files_, *letters, Offset(0), [&](const RecordView& record) {
            if (find_header(record, bridge::kOriginOffsetHeader) != std::string_view(number) ||
                find_header(record, bridge::kOriginLogHeader) != std::string_view(log_id)) {
                return true;
            }
            at = record.offset;
            answer_.reason = find_header(record, "sluice.detail").value_or("");
            return false;
        });
        if (!done || !at) return false;
        auto letter = why(files_, data_dir_, *letters, *at);
        if (letter) answer_.letter = std::make_unique<WhyAnswer>(std::move(*letter));
        return answer_.letter != nullptr;
    }

    bool find_gap() {
        const auto events = find_stream(files_, data_dir_, kEventsStream);
        if (events) {
            const auto done = each_record(files_, *events, Offset(0), [&](const RecordView& record) {
                take_event(record.value.value_or(""));
                return true;
            });
            if (done && !answer_.reason.empty()) return true;
        }
        const auto names = files_.list(stream_.directory);
        for (const auto& name : names ? *names : std::vector<std::string>()) {
            const auto noted = storage::parse_gap_file_name(name);
            if (!noted || answer_.offset < noted->first || answer_.offset >= noted->next) continue;
            answer_.reason = noted->given_up ? "given up, or found missing" : "its batch was damaged";
            return true;
        }
        return false;
    }

    void take_event(std::string_view value) {
        const auto event = nlohmann::json::parse(value, nullptr, false);
        if (!event.is_object() || event.value("event", "") != "gap" || event.value("stream", "") != stream_.stream) {
            return;
        }
        const auto first = event.find("first_offset"), next = event.find("next_offset"), at = event.find("at");
        if (first == event.end() || next == event.end() || !first->is_number_integer() || !next->is_number_integer()) {
            return;
        }
        const auto offset = answer_.offset.value();
        if (offset < first->get<std::int64_t>() || offset >= next->get<std::int64_t>()) return;
        answer_.reason = event.value("reason", "no reason was told");
        if (at != event.end() && at->is_number_integer()) {
            answer_.at = storage::Timestamp(std::chrono::milliseconds(at->get<std::int64_t>()));
        }
    }

    storage::FileSystem& files_;
    const std::string& data_dir_;
    const StreamFiles& stream_;
    WhyAnswer& answer_;
};

}  // namespace

Result<WhyAnswer> why(storage::FileSystem& files, const std::string& data_dir, const StreamFiles& stream,
                      Offset offset) {
    WhyAnswer answer;
    answer.stream = stream.stream;
    answer.offset = offset;
    answer.log_id = stream.log_id;
    answer.agent_runs = is_agent_running(files, data_dir);
    if (auto done = Inquiry(files, data_dir, stream, answer).run(); !done) return done.error();
    return answer;
}

/// /proc/locks has "5: FLOCK  ADVISORY  WRITE 4711 fd:01:1234567 0 EOF". To try the lock could keep an agent from
/// starting at that moment.
bool is_agent_running(storage::FileSystem& files, const std::string& data_dir) {
    struct stat info {};
    const auto path = data_dir + "/lock";
    if (::stat(path.c_str(), &info) != 0) return false;
    const auto pid = storage::read_file(files, path);
    const auto inode = ":" + std::to_string(info.st_ino);
    std::ifstream locks("/proc/locks");
    for (std::string line; std::getline(locks, line);) {
        std::istringstream words(line);
        std::string number, kind, mode, access, holder, file;
        words >> number >> kind >> mode >> access >> holder >> file;
        if (kind == "FLOCK" && access == "WRITE" && file.ends_with(inode) && pid) return true;
    }
    return false;
}

}  // namespace sluice::agent
