// delivery_search.hpp: asks the proof files what became of a record. Reads only; an agent may be writing.
#pragma once

#include "storage/delivery_ledger.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::storage {

struct Delivered {
    std::string topic;
    KafkaPlace place;
    Timestamp at;  ///< Kafka had acknowledged it by then, and not long before
    friend bool operator==(const Delivered&, const Delivered&) = default;
};

/// Why nothing is sent.
struct Waiting {
    std::string why;  ///< empty: nothing was in the way
    Timestamp since;
};

struct DeliveryAnswer {
    /// Where the record is: more than one place only with at-least-once delivery, in the order of sending.
    std::vector<Delivered> places;
    /// Where it was put by a transaction of which it isn't known whether it was committed.
    std::optional<Delivered> unconfirmed;
    std::optional<Waiting> stream;     ///< what was said last of this stream
    std::optional<Waiting> cluster;    ///< … of the cluster
    bool forwarded = false;            ///< an agent has forwarded this log
    std::optional<Offset> known_from;  ///< the first offset of which a place is known
};

/// @param cursor_of  the cursor that the catalog has of this reader of this log: what is before it is committed
/// @return Errc::not_found: there are no proofs
[[nodiscard]] Result<DeliveryAnswer> find_delivery(
    FileSystem& files, const std::string& directory, const std::string& stream, const LogId& log_id, Offset offset,
    const std::function<std::optional<Offset>(const std::string& reader)>& cursor_of);

/// By partition of `topic`: the last Kafka offset that is known of a record of this log before `before`. Reads the
/// newest files only, as many as it takes to find some.
[[nodiscard]] std::map<std::int32_t, std::int64_t> find_last_places(FileSystem& files, const std::string& directory,
                                                                    const std::string& stream, const LogId& log_id,
                                                                    const std::string& topic, Offset before);

}  // namespace sluice::storage
