// topic_reader.hpp: reads a topic from its beginning, without a consumer group: for audits and for the demo's verdict.
#pragma once

#include "storage/result.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::bridge::kafka {

/// A record as a consumer sees it. The views live for the duration of the call that hands it over.
struct ConsumedRecord {
    std::int32_t partition;
    std::int64_t offset;
    std::optional<std::string_view> key;
    std::optional<std::string_view> value;
};

/// One thread at a time.
class TopicReader {
 public:
    /// Reads partitions 0 to `partitions` - 1 of `topic`, committed records only. The topic may come into being later.
    [[nodiscard]] static storage::Result<std::unique_ptr<TopicReader>> open(const std::string& brokers,
                                                                            const std::string& topic,
                                                                            std::int32_t partitions);
    ~TopicReader();

    /// Hands over what arrives within `wait`, one record at a time. A cluster that is away is only waited for.
    void poll(std::chrono::milliseconds wait, const std::function<void(const ConsumedRecord&)>& take);

 private:
    struct Impl;
    explicit TopicReader(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::bridge::kafka
