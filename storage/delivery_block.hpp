// delivery_block.hpp: where a run of a stream's records went: their topic's partitions and offsets, in few bits each.
//
// What is certain costs nothing: offsets that follow each other, in the log as in each partition. Said are the holes in
// the log's offsets, the jumps in a partition's, and each record's partition: not at all where there is one, as runs
// where they are long, and else in as many bits as the number of partitions needs.
// Format: docs/proof-of-delivery.md.
#pragma once

#include "storage/types.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sluice::storage {

/// Where Kafka keeps a record.
struct KafkaPlace {
    std::int32_t partition = -1;
    std::int64_t offset = -1;  ///< negative: not known
    friend bool operator==(const KafkaPlace&, const KafkaPlace&) = default;
};

/// Collects a block. One thread; add() costs a few nanoseconds.
class DeliveryBlockBuilder {
 public:
    static constexpr std::size_t kRecordsMax = 2048;

    /// @param offset  higher than the one before
    void add(Offset offset, KafkaPlace place);
    [[nodiscard]] bool empty() const { return which_.empty(); }
    /// encode() is due before the next add().
    [[nodiscard]] bool full() const { return which_.size() >= kRecordsMax || partitions_.size() >= kPartitionsMax; }
    [[nodiscard]] Offset first() const { return first_; }
    [[nodiscard]] Offset next() const { return next_; }
    /// Appends the block to `out`: less than 64 KiB. The builder is empty then.
    void encode(std::vector<std::byte>& out);
    void clear();

 private:
    static constexpr std::size_t kPartitionsMax = 255;
    struct Skip {
        std::size_t at;  // the how manieth
        std::int64_t by;
    };
    struct Partition {
        std::int32_t number;
        std::int64_t first;
        std::int64_t next;
        std::size_t records = 0;
        std::vector<Skip> jumps = {};
    };

    [[nodiscard]] std::uint8_t index_of(KafkaPlace place);
    void encode_which(std::vector<std::byte>& out) const;

    Offset first_;
    Offset next_;
    std::vector<Skip> holes_;
    std::vector<Partition> partitions_;
    std::vector<std::uint8_t> index_of_;  // by partition: where it is in partitions_, and one
    std::vector<std::uint8_t> which_;     // of each record: an index into partitions_
    std::size_t runs_ = 0;
};

/// An encoded block. What it views outlives it.
class DeliveryBlock {
 public:
    /// @return nullopt where the beginning is no block's; what is wrong behind it is found by records()
    [[nodiscard]] static std::optional<DeliveryBlock> decode(std::span<const std::byte> bytes);

    [[nodiscard]] Offset first() const { return first_; }
    [[nodiscard]] Offset next() const { return next_; }  ///< the offset after the last record

    struct Record {
        Offset offset;
        KafkaPlace place;
        friend bool operator==(const Record&, const Record&) = default;
    };
    /// All of them, in order. @return nullopt where the bytes are not a block's
    [[nodiscard]] std::optional<std::vector<Record>> records() const;
    /// @return nullopt where the record is none of these
    [[nodiscard]] std::optional<KafkaPlace> find(Offset offset) const;

 private:
    Offset first_;
    Offset next_;
    std::size_t count_ = 0;
    std::span<const std::byte> rest_;
};

}  // namespace sluice::storage
