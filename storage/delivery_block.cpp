#include "storage/delivery_block.hpp"

#include "storage/assert.hpp"
#include "storage/varint.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace sluice::storage {

namespace {

enum Which : std::uint8_t { kOne, kRuns, kPacked };

std::size_t bits_for(std::size_t partitions) {
    return static_cast<std::size_t>(std::bit_width(partitions - 1));
}

void put(std::vector<std::byte>& out, std::size_t value) {
    put_varint(out, static_cast<std::int64_t>(value));
}

/// A number that is not negative and at most `max`.
std::optional<std::size_t> take(std::span<const std::byte>& bytes, std::size_t max) {
    const auto value = take_varint(bytes);
    if (!value || *value < 0 || static_cast<std::uint64_t>(*value) > max) return std::nullopt;
    return static_cast<std::size_t>(*value);
}

struct Jump {
    std::size_t at;
    std::int64_t by;
};

/// `at` rises; each is stored as the distance from the one before.
std::optional<std::vector<Jump>> take_jumps(std::span<const std::byte>& bytes, std::size_t records) {
    const auto count = take(bytes, records);
    if (!count) return std::nullopt;
    std::vector<Jump> jumps;
    std::size_t at = 0;
    for (std::size_t i = 0; i < *count; ++i) {
        const auto distance = take(bytes, records);
        const auto by = take_varint(bytes);
        if (!distance || !by) return std::nullopt;
        at += *distance;
        jumps.push_back({at, *by});
    }
    return jumps;
}

template <class Jumps>
void put_jumps(std::vector<std::byte>& out, const Jumps& jumps) {
    put(out, jumps.size());
    std::size_t before = 0;
    for (const auto& jump : jumps) {
        put(out, jump.at - before);
        put_varint(out, jump.by);
        before = jump.at;
    }
}

/// An addition that wraps: what is on the disk may be anything.
std::int64_t add(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

/// Numbers that follow each other, but for jumps.
class Sequence {
 public:
    Sequence(std::int64_t next, std::vector<Jump> jumps) : next_(next), jumps_(std::move(jumps)) {}
    std::int64_t take() {
        if (jump_ < jumps_.size() && jumps_[jump_].at == taken_) next_ = add(next_, jumps_[jump_++].by);
        ++taken_;
        const auto value = next_;
        next_ = add(next_, 1);
        return value;
    }

 private:
    std::int64_t next_;
    std::vector<Jump> jumps_;
    std::size_t jump_ = 0;
    std::size_t taken_ = 0;
};

std::optional<std::vector<std::uint8_t>> take_which(std::span<const std::byte> bytes, std::size_t count,
                                                    std::size_t partitions) {
    const auto form = take(bytes, kPacked);
    if (!form) return std::nullopt;
    std::vector<std::uint8_t> which;
    which.reserve(count);
    if (*form == kOne) which.assign(count, 0);
    while (*form == kRuns && which.size() < count) {
        const auto index = take(bytes, partitions - 1);
        const auto length = take(bytes, count - which.size());
        if (!index || !length || *length == 0) return std::nullopt;
        which.insert(which.end(), *length, static_cast<std::uint8_t>(*index));
    }
    if (*form != kPacked) return which;
    const auto bits = bits_for(partitions);
    if (bytes.size() < (count * bits + 7) / 8) return std::nullopt;
    for (std::size_t at = 0; which.size() < count; at += bits) {
        const auto low = std::to_integer<unsigned>(bytes[at / 8]);
        const auto high = at / 8 + 1 < bytes.size() ? std::to_integer<unsigned>(bytes[at / 8 + 1]) : 0U;
        const auto index = ((low | high << 8U) >> (at % 8)) & ((1U << bits) - 1U);
        if (index >= partitions) return std::nullopt;
        which.push_back(static_cast<std::uint8_t>(index));
    }
    return which;
}

}  // namespace

std::uint8_t DeliveryBlockBuilder::index_of(KafkaPlace place) {
    const auto partition = static_cast<std::size_t>(place.partition);
    if (partition >= index_of_.size()) index_of_.resize(partition + 1);
    if (index_of_[partition] == 0) {
        partitions_.push_back({place.partition, place.offset, place.offset});
        index_of_[partition] = static_cast<std::uint8_t>(partitions_.size());
    }
    return static_cast<std::uint8_t>(index_of_[partition] - 1);
}

void DeliveryBlockBuilder::add(Offset offset, KafkaPlace place) {
    SLUICE_ASSERT(!full() && place.partition >= 0 && (empty() || offset >= next_));
    if (empty()) first_ = next_ = offset;
    if (offset != next_) holes_.push_back({which_.size(), offset - next_});
    next_ = offset + 1;
    const auto index = index_of(place);
    auto& partition = partitions_[index];
    if (place.offset != partition.next) partition.jumps.push_back({partition.records, place.offset - partition.next});
    partition.next = place.offset + 1;
    ++partition.records;
    if (which_.empty() || which_.back() != index) ++runs_;
    which_.push_back(index);
}

void DeliveryBlockBuilder::clear() {
    for (const auto& partition : partitions_) index_of_[static_cast<std::size_t>(partition.number)] = 0;
    holes_.clear();
    partitions_.clear();
    which_.clear();
    runs_ = 0;
}

void DeliveryBlockBuilder::encode(std::vector<std::byte>& out) {
    put_varint(out, first_.value());
    put_varint(out, next_ - first_);
    put(out, which_.size());
    put_jumps(out, holes_);
    put(out, partitions_.size());
    for (const auto& partition : partitions_) {
        put_varint(out, partition.number);
        put_varint(out, partition.first);
        put_jumps(out, partition.jumps);
    }
    encode_which(out);
    clear();
}

void DeliveryBlockBuilder::encode_which(std::vector<std::byte>& out) const {
    if (partitions_.size() == 1) return put(out, kOne);
    const auto bits = bits_for(partitions_.size());
    constexpr std::size_t kRunBytes = 3;  // about
    if (runs_ * kRunBytes * 8 <= which_.size() * bits) {
        put(out, kRuns);
        for (auto from = which_.begin(); from != which_.end();) {
            const auto to = std::find_if(from, which_.end(), [&](auto index) { return index != *from; });
            put(out, *from);
            put(out, static_cast<std::size_t>(to - from));
            from = to;
        }
        return;
    }
    put(out, kPacked);
    unsigned gathered = 0;
    std::size_t have = 0;
    for (const auto index : which_) {
        gathered |= static_cast<unsigned>(index) << have;
        for (have += bits; have >= 8; have -= 8, gathered >>= 8U) out.push_back(static_cast<std::byte>(gathered));
    }
    if (have > 0) out.push_back(static_cast<std::byte>(gathered));
}

std::optional<DeliveryBlock> DeliveryBlock::decode(std::span<const std::byte> bytes) {
    DeliveryBlock block;
    const auto first = take_varint(bytes);
    const auto span = take_varint(bytes);
    const auto count = take(bytes, DeliveryBlockBuilder::kRecordsMax);
    if (!first || !span || !count || *first < 0 || *count == 0) return std::nullopt;
    if (*span < static_cast<std::int64_t>(*count) || *span > std::numeric_limits<std::int64_t>::max() - *first)
        return std::nullopt;
    block.first_ = Offset(*first);
    block.next_ = block.first_ + *span;
    block.count_ = *count;
    block.rest_ = bytes;
    return block;
}

std::optional<std::vector<DeliveryBlock::Record>> DeliveryBlock::records() const {
    auto bytes = rest_;
    auto holes = take_jumps(bytes, count_);
    const auto partitions = take(bytes, std::numeric_limits<std::uint8_t>::max());
    if (!holes || !partitions || *partitions == 0) return std::nullopt;
    std::vector<std::pair<std::int32_t, Sequence>> at;
    for (std::size_t i = 0; i < *partitions; ++i) {
        const auto number = take(bytes, std::numeric_limits<std::int32_t>::max());
        const auto first = take_varint(bytes);
        auto jumps = take_jumps(bytes, count_);
        if (!number || !first || !jumps) return std::nullopt;
        at.emplace_back(static_cast<std::int32_t>(*number), Sequence(*first, std::move(*jumps)));
    }
    const auto which = take_which(bytes, count_, *partitions);
    if (!which) return std::nullopt;
    Sequence offsets(first_.value(), std::move(*holes));
    std::vector<Record> records;
    records.reserve(count_);
    for (const auto index : *which) {
        auto& [partition, sequence] = at[index];
        const Offset offset(offsets.take());
        if (offset < first_ || offset >= next_) return std::nullopt;
        records.push_back({offset, {partition, sequence.take()}});
    }
    return records;
}

std::optional<KafkaPlace> DeliveryBlock::find(Offset offset) const {
    if (offset < first_ || offset >= next_) return std::nullopt;
    const auto all = records();
    if (!all) return std::nullopt;
    const auto found =
        std::find_if(all->begin(), all->end(), [&](const auto& record) { return record.offset == offset; });
    return found == all->end() ? std::nullopt : std::optional(found->place);
}

}  // namespace sluice::storage
