// in_doubt.hpp: at-least-once: which of the records that may be in Kafka already are there.
//
// Between the cursor and what an agent had sent when it died, or its producer when it turned fatal, nobody knows what
// has arrived. With options.origin_headers each record says where it comes from (header sluice.origin), and the ends of
// the topic's partitions tell.
// Invariants
//   - a record counts as there only where its key, its value and, unless the topic has Kafka's own, its timestamp are
//   those that the log has at this offset. So an offset that was given to another record is not believed.
//   - what is not found in time is sent again: duplicates, and no loss.
// Source: docs/delivery.md. The forward thread.
#pragma once

#include "bridge/kafka/options.hpp"
#include "storage/delivery_block.hpp"
#include "storage/record.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::bridge::kafka {

inline constexpr std::string_view kOriginHeader = "sluice.origin";

/// The header's value, "STREAM/LOG-ID/OFFSET", for a stream's records one after the other.
class OriginHeader {
 public:
    OriginHeader(const std::string& stream, const storage::LogId& log_id);
    [[nodiscard]] std::string_view of(storage::Offset offset);

 private:
    std::string text_;
    const std::size_t prefix_;
};

/// What a record in Kafka is compared by.
struct Fingerprint {
    std::uint32_t checksum = 0;               ///< of key and value
    std::optional<std::int64_t> timestamp{};  ///< nullopt: the topic has Kafka's own
};
[[nodiscard]] bool is_same(const Fingerprint& found, const storage::RecordView& record);

struct InKafka {
    storage::KafkaPlace place;
    Fingerprint fingerprint;
};
using InKafkaAlready = std::map<storage::Offset, InKafka>;

/// What is to be looked for.
struct Doubt {
    std::string stream;
    std::string topic;
    storage::LogId log_id;
    storage::Offset from;  ///< the first record that is not known to be there
    /// By partition: the last Kafka offset of a record of this log before `from`. Where there is none, the last
    /// kTailRecords of a partition are read.
    std::map<std::int32_t, std::int64_t> known;
};
inline constexpr std::int64_t kTailRecords = 100'000;

/// Reads the partitions from what is known to their present end.
/// @param patience  what is not read by then is not looked at: then `complete` is false
/// @return an error where nothing could be read
struct Resolved {
    InKafkaAlready there;
    bool complete = true;
};
[[nodiscard]] storage::Result<Resolved> resolve(const ClusterOptions& options, const Doubt& doubt,
                                                std::chrono::milliseconds patience, const std::atomic<bool>& stopping);

}  // namespace sluice::bridge::kafka
