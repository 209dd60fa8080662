#include "storage/delivery_ledger.hpp"

#include "storage/assert.hpp"
#include "storage/crc32c.hpp"
#include "storage/delivery_search.hpp"
#include "storage/varint.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace sluice::storage {

namespace {

// A frame: magic (1 byte), size of the body (2), CRC-32C of kind and body (4), kind (1), body.
constexpr auto kEntryMagic = std::byte{0xd5};
constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kChecksumAt = 3;
constexpr std::size_t kKindAt = 7;
constexpr std::size_t kBodyMax = 65'535;

constexpr std::size_t kFilesOfAll = 16;  // what goes at a time is one file
constexpr std::uint64_t kFileBytesMin = 64U << 10U;

void put_frame(std::vector<std::byte>& out, DeliveryLedger::Kind kind, std::span<const std::byte> body) {
    SLUICE_ASSERT(body.size() <= kBodyMax);
    const auto at = out.size();
    out.resize(at + kHeaderBytes);
    out[at] = kEntryMagic;
    store_big_endian(&out[at + 1], static_cast<std::uint16_t>(body.size()));
    out[at + kKindAt] = static_cast<std::byte>(kind);
    out.insert(out.end(), body.begin(), body.end());
    store_big_endian(&out[at + kChecksumAt], crc32c(std::span(out).subspan(at + kKindAt)));
}

void put_text(std::vector<std::byte>& out, std::string_view text) {
    constexpr std::size_t kTextMax = 4000;
    text = text.substr(0, kTextMax);
    put_varint(out, static_cast<std::int64_t>(text.size()));
    const auto bytes = std::as_bytes(std::span(text));
    out.insert(out.end(), bytes.begin(), bytes.end());
}

void put_number(std::vector<std::byte>& out, std::size_t number) {
    put_varint(out, static_cast<std::int64_t>(number));
}

void put_taken_back(std::vector<std::byte>& out, std::size_t stream, Offset from) {
    std::vector<std::byte> body;
    put_number(body, stream);
    put_varint(body, from.value());
    put_frame(out, DeliveryLedger::Kind::taken_back, body);
}

}  // namespace

std::optional<std::uint64_t> parse_proof_file_name(std::string_view name) {
    if (!name.ends_with(kProofSuffix)) return std::nullopt;
    name.remove_suffix(kProofSuffix.size());
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
    const bool whole = parsed.ec == std::errc() && parsed.ptr == name.data() + name.size() && number > 0;
    return whole ? std::optional(number) : std::nullopt;
}

std::optional<DeliveryFrame> take_frame(std::span<const std::byte>& bytes) {
    for (; bytes.size() >= kHeaderBytes; bytes = bytes.subspan(1)) {
        if (bytes[0] != kEntryMagic) continue;
        const auto size = kHeaderBytes + load_big_endian<std::uint16_t>(&bytes[1]);
        if (size > bytes.size()) continue;
        if (load_big_endian<std::uint32_t>(&bytes[kChecksumAt]) != crc32c(bytes.first(size).subspan(kKindAt))) continue;
        const DeliveryFrame frame{static_cast<DeliveryLedger::Kind>(bytes[kKindAt]),
                                  bytes.first(size).subspan(kHeaderBytes)};
        bytes = bytes.subspan(size);
        return frame;
    }
    return std::nullopt;
}

DeliveryLedger::DeliveryLedger(FileSystem& files, const Clock& clock, std::string directory, DeliveryOptions options)
    : files_(files), clock_(clock), directory_(std::move(directory)), options_(options) {}

Result<std::unique_ptr<DeliveryLedger>> DeliveryLedger::open(FileSystem& files, const Clock& clock,
                                                             std::string directory, DeliveryOptions options) {
    if (auto done = files.make_directories(directory); !done) return done.error();
    std::unique_ptr<DeliveryLedger> ledger(new DeliveryLedger(files, clock, std::move(directory), options));
    if (auto done = ledger->continue_last_file(); !done) return done.error();
    return ledger;
}

std::string DeliveryLedger::path_of(std::uint64_t number) const {
    constexpr std::size_t kDigits = 20;
    const auto digits = std::to_string(number);
    return directory_ + "/" + std::string(kDigits - digits.size(), '0') + digits + std::string(kProofSuffix);
}

Result<void> DeliveryLedger::continue_last_file() {
    const auto names = files_.list(directory_);
    if (!names) return names.error();
    for (const auto& name : *names) number_ = std::max(number_, parse_proof_file_name(name).value_or(0));
    opened_ = clock_.now();
    remove_old_files();
    if (number_ == 0) return {};
    auto file = files_.open(path_of(number_), OpenMode::read_write);
    if (!file && file.error().kind() == Errc::not_found) return {};  // it was too old
    if (!file) return file.error();
    const auto contents = read_file(files_, path_of(number_));
    if (!contents) return contents.error();
    auto rest = std::as_bytes(std::span(*contents));
    std::size_t end = 0;
    while (take_frame(rest)) end = contents->size() - rest.size();
    if (auto done = (*file)->truncate(end); !done) return done;
    file_ = std::move(*file);
    position_ = end;
    return {};
}

std::size_t DeliveryLedger::add_stream(DeliveryStream stream, Offset log_end) {
    const auto number = streams_.size();
    streams_.push_back({std::move(stream)});
    put_taken_back(frames_, number, log_end);
    introduced_ = false;
    return number;
}

void DeliveryLedger::add(std::size_t stream, Offset offset, KafkaPlace place) {
    if (place.partition < 0 || place.offset < 0) return;  // an answer that didn't say
    auto& builder = streams_[stream].builder;
    if (builder.full() || (!builder.empty() && offset < builder.next())) put_block(stream);
    builder.add(offset, place);
}

void DeliveryLedger::put_block(std::size_t number) {
    auto& stream = streams_[number];
    if (stream.builder.empty()) return;
    stream.unwritten = std::min(stream.unwritten.value_or(stream.builder.first()), stream.builder.first());
    std::vector<std::byte> body;
    put_number(body, number);
    put_varint(body, clock_.now().time_since_epoch().count());
    if (options_.transactional) put_varint(body, stream.finished.value());
    stream.builder.encode(body);
    put_frame(frames_, options_.transactional ? Kind::delivered_in_transaction : Kind::delivered, body);
}

void DeliveryLedger::take_back(std::size_t number, Offset from) {
    auto& stream = streams_[number];
    stream.builder.clear();
    stream.finished = std::min(stream.finished, from);
    stream.unwritten = std::min(stream.unwritten.value_or(from), from);
    put_taken_back(frames_, number, from);
}

void DeliveryLedger::set_state(std::optional<std::size_t> stream, const std::string& text) {
    const auto [state, is_new] = states_.try_emplace(stream);
    if (!is_new && state->second.text == text) return;
    if (is_new || state->second.text.empty() || text.empty()) state->second.since = clock_.now();
    state->second.text = text;
    put_state(frames_, stream, state->second);
}

std::map<std::int32_t, std::int64_t> DeliveryLedger::last_places(std::size_t stream, Offset before) const {
    const auto& what = streams_[stream].what;
    return find_last_places(files_, directory_, what.stream, what.log_id, what.topic, before);
}

void DeliveryLedger::put_state(std::vector<std::byte>& frames, std::optional<std::size_t> stream,
                               const State& state) const {
    std::vector<std::byte> body;
    put_number(body, stream ? *stream + 1 : 0);
    put_varint(body, state.since.time_since_epoch().count());
    put_text(body, state.text);
    put_frame(frames, Kind::state, body);
}

void DeliveryLedger::put_preamble(std::vector<std::byte>& frames) const {
    for (std::size_t number = 0; number < streams_.size(); ++number) {
        const auto& what = streams_[number].what;
        std::vector<std::byte> body;
        put_number(body, number);
        for (const auto& text : {what.stream, what.log_id.to_string(), what.topic, what.reader}) put_text(body, text);
        put_frame(frames, Kind::stream, body);
    }
    for (const auto& [stream, state] : states_) put_state(frames, stream, state);
}

Result<void> DeliveryLedger::flush() {
    for (std::size_t number = 0; number < streams_.size(); ++number) put_block(number);
    if (frames_.empty()) return {};
    auto done = write_frames();
    for (auto& stream : streams_) {
        const auto unwritten = std::exchange(stream.unwritten, std::nullopt);
        if (done) stream.lost.reset();
        if (!done && unwritten) stream.lost = std::min(stream.lost.value_or(*unwritten), *unwritten);
    }
    frames_.clear();
    if (!done) file_.reset();  // what a failed write has left behind is not gone on with
    return done;
}

Result<void> DeliveryLedger::write_frames() {
    const auto file_bytes_max = std::max(options_.bytes_max / kFilesOfAll, kFileBytesMin);
    const bool is_old = clock_.now() - opened_ > options_.retention / kFilesOfAll;
    if (!file_ || position_ >= file_bytes_max || is_old) {
        if (auto done = open_next_file(); !done) return done;
    }
    std::vector<std::byte> bytes;
    if (!introduced_) put_preamble(bytes);
    for (std::size_t number = 0; number < streams_.size(); ++number) {
        // What a lost frame would have overruled must not be believed.
        if (streams_[number].lost) put_taken_back(bytes, number, *streams_[number].lost);
    }
    bytes.insert(bytes.end(), frames_.begin(), frames_.end());
    if (auto done = file_->write_at(FilePosition(position_), bytes); !done) return done;
    position_ += bytes.size();
    introduced_ = true;
    return {};
}

Result<void> DeliveryLedger::open_next_file() {
    file_.reset();
    auto file = files_.open(path_of(number_ + 1), OpenMode::create);
    if (!file) return file.error();
    ++number_;
    position_ = 0;
    opened_ = clock_.now();
    introduced_ = false;
    file_ = std::move(*file);
    remove_old_files();
    return {};
}

void DeliveryLedger::remove_old_files() {
    const auto names = files_.list(directory_);
    if (!names) return;
    std::uint64_t bytes = 0;
    for (auto name = names->rbegin(); name != names->rend(); ++name) {
        if (!parse_proof_file_name(*name)) continue;
        const auto path = directory_ + "/" + *name;
        const auto status = files_.status(path);
        if (!status) continue;
        bytes += status->size_bytes;
        const bool old = clock_.now() - status->modified > options_.retention;
        const bool current = file_ != nullptr && path == path_of(number_);
        if ((old || bytes > options_.bytes_max) && !current) static_cast<void>(files_.remove(path));
    }
}

}  // namespace sluice::storage
