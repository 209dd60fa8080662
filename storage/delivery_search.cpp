#include "storage/delivery_search.hpp"

#include "storage/varint.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace sluice::storage {

namespace {

using Bytes = std::span<const std::byte>;

std::optional<std::string> take_text(Bytes& bytes) {
    const auto size = take_varint(bytes);
    if (!size || *size < 0 || static_cast<std::uint64_t>(*size) > bytes.size()) return std::nullopt;
    const auto length = static_cast<std::size_t>(*size);
    std::string text(reinterpret_cast<const char*>(bytes.data()), length);
    bytes = bytes.subspan(length);
    return text;
}

std::optional<Timestamp> take_time(Bytes& bytes) {
    const auto time = take_varint(bytes);
    return time ? std::optional(Timestamp(std::chrono::milliseconds(*time))) : std::nullopt;
}

/// Takes the frames in the order in which they were written.
class Search {
 public:
    Search(const std::string& stream, const LogId& log_id, Offset offset)
        : stream_(stream), log_id_(log_id.to_string()), offset_(offset) {}

    void new_file() { readers_.clear(); }

    void take(const DeliveryFrame& frame) {
        auto body = frame.body;
        const auto number = take_varint(body);
        if (!number) return;
        switch (frame.kind) {
            case DeliveryLedger::Kind::stream:
                return introduce(*number, body);
            case DeliveryLedger::Kind::delivered:
            case DeliveryLedger::Kind::delivered_in_transaction:
                return delivered(*number, frame.kind == DeliveryLedger::Kind::delivered_in_transaction, body);
            case DeliveryLedger::Kind::taken_back:
                return taken_back(*number, body);
            case DeliveryLedger::Kind::state:
                return state(*number, body);
        }
    }

    DeliveryAnswer finish(const std::function<std::optional<Offset>(const std::string&)>& cursor_of) {
        for (const auto& [reader, pending] : pending_) {
            const auto cursor = cursor_of(reader);
            if (cursor && *cursor > offset_)
                found_.emplace_back(reader, pending);
            else
                answer_.unconfirmed = pending;
        }
        for (auto& found : found_) answer_.places.push_back(std::move(found.second));
        return std::move(answer_);
    }

 private:
    struct Reader {
        std::string topic;
        std::string name;
    };

    void introduce(std::int64_t number, Bytes body) {
        const auto stream = take_text(body);
        const auto log_id = take_text(body);
        const auto topic = take_text(body);
        const auto name = take_text(body);
        readers_.erase(number);
        if (!name || stream != stream_ || log_id != log_id_) return;
        readers_[number] = {*topic, *name};
        answer_.forwarded = true;
    }

    void delivered(std::int64_t number, bool in_transaction, Bytes body) {
        const auto reader = readers_.find(number);
        if (reader == readers_.end()) return;
        const auto at = take_time(body);
        const auto finished = in_transaction ? take_varint(body) : std::optional<std::int64_t>(0);
        const auto block = finished ? DeliveryBlock::decode(body) : std::nullopt;
        if (!at || !block) return;
        answer_.known_from = std::min(answer_.known_from.value_or(block->first()), block->first());
        if (in_transaction && *finished > offset_.value()) confirm(reader->second.name);
        const auto place = block->find(offset_);
        if (!place) return;
        const Delivered found{reader->second.topic, *place, *at};
        if (in_transaction)
            pending_[reader->second.name] = found;
        else
            found_.emplace_back(reader->second.name, found);
    }

    void confirm(const std::string& reader) {
        const auto pending = pending_.extract(reader);
        if (!pending.empty()) found_.emplace_back(reader, pending.mapped());
    }

    void taken_back(std::int64_t number, Bytes body) {
        const auto reader = readers_.find(number);
        const auto from = take_varint(body);
        if (reader == readers_.end() || !from || offset_.value() < *from) return;
        pending_.erase(reader->second.name);
        // What was acknowledged outside of a transaction is in Kafka, unless it was another record of this offset.
        std::erase_if(found_, [&](const auto& found) { return found.first == reader->second.name; });
    }

    void state(std::int64_t number, Bytes body) {
        const auto since = take_time(body);
        const auto text = take_text(body);
        if (!since || !text) return;
        if (number == 0) answer_.cluster = {*text, *since};
        if (readers_.contains(number - 1)) answer_.stream = {*text, *since};
    }

    const std::string& stream_;
    const std::string log_id_;
    const Offset offset_;
    std::map<std::int64_t, Reader> readers_;    // by number: those of the log that is asked for
    std::map<std::string, Delivered> pending_;  // by reader: in a transaction, not known to be committed
    std::vector<std::pair<std::string, Delivered>> found_;
    DeliveryAnswer answer_;
};

/// Of one file.
class LastPlaces {
 public:
    LastPlaces(const std::string& stream, const LogId& log_id, const std::string& topic, Offset before)
        : wanted_{stream, log_id.to_string(), topic}, before_(before) {}

    void take(const DeliveryFrame& frame) {
        auto body = frame.body;
        const auto number = take_varint(body);
        if (!number) return;
        if (frame.kind == DeliveryLedger::Kind::stream) {
            is_wanted_[*number] =
                std::all_of(wanted_.begin(), wanted_.end(), [&](const auto& text) { return take_text(body) == text; });
        } else if (frame.kind == DeliveryLedger::Kind::delivered && is_wanted_[*number]) {
            const auto block = take_time(body) ? DeliveryBlock::decode(body) : std::nullopt;
            if (block) take(*block);
        }
    }

    std::map<std::int32_t, std::int64_t> places;

 private:
    void take(const DeliveryBlock& block) {
        const auto records = block.first() < before_ ? block.records() : std::nullopt;
        if (!records) return;
        for (const auto& [offset, place] : *records) {
            if (offset >= before_) break;
            auto& last = places.try_emplace(place.partition, place.offset).first->second;
            last = std::max(last, place.offset);
        }
    }

    const std::vector<std::string> wanted_;
    const Offset before_;
    std::map<std::int64_t, bool> is_wanted_;
};

}  // namespace

std::map<std::int32_t, std::int64_t> find_last_places(FileSystem& files, const std::string& directory,
                                                      const std::string& stream, const LogId& log_id,
                                                      const std::string& topic, Offset before) {
    const auto names = files.list(directory);
    if (!names) return {};
    for (auto name = names->rbegin(); name != names->rend(); ++name) {
        const auto contents = parse_proof_file_name(*name) ? read_file(files, directory + "/" + *name)
                                                           : Result<std::string>(Error(Errc::not_found, *name));
        if (!contents) continue;
        LastPlaces last(stream, log_id, topic, before);
        auto rest = std::as_bytes(std::span(*contents));
        while (const auto frame = take_frame(rest)) last.take(*frame);
        if (!last.places.empty()) return std::move(last.places);
    }
    return {};
}

Result<DeliveryAnswer> find_delivery(FileSystem& files, const std::string& directory, const std::string& stream,
                                     const LogId& log_id, Offset offset,
                                     const std::function<std::optional<Offset>(const std::string& reader)>& cursor_of) {
    const auto names = files.list(directory);
    if (!names) return names.error();
    Search search(stream, log_id, offset);
    for (const auto& name : *names) {
        if (!parse_proof_file_name(name)) continue;
        const auto contents = read_file(files, directory + "/" + name);
        if (!contents && contents.error().kind() == Errc::not_found) continue;  // too old, meanwhile
        if (!contents) return contents.error();
        search.new_file();
        auto rest = std::as_bytes(std::span(*contents));
        while (const auto frame = take_frame(rest)) search.take(*frame);
    }
    return search.finish(cursor_of);
}

}  // namespace sluice::storage
