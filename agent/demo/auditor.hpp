// auditor.hpp: the demo's consumer: reads the topic back and counts what arrived, how often, and what it said.
#pragma once

#include "bridge/kafka/topic_reader.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace sluice::agent::demo {

struct Verdict {
    std::uint64_t published = 0;  ///< messages that the broker acknowledged to a device
    std::uint64_t in_kafka = 0;   ///< different ones of them that a consumer has read back
    std::uint64_t lost = 0;
    std::uint64_t duplicates = 0;  ///< records that a consumer has read once too often
    double first_vibration = 0;    ///< of the worn pump, as read back
    double last_vibration = 0;
    [[nodiscard]] bool good() const { return published > 0 && lost == 0 && duplicates == 0; }
};

class Auditor {
 public:
    /// Reads in a thread of its own until the object ends.
    explicit Auditor(std::unique_ptr<bridge::kafka::TopicReader> reader);
    Auditor(const Auditor&) = delete;
    Auditor& operator=(const Auditor&) = delete;
    ~Auditor();

    [[nodiscard]] std::uint64_t records() const { return records_; }
    /// Compares with what the devices were told: messages 0 … n-1 of pump i, with n = acknowledged[i].
    [[nodiscard]] Verdict verdict(const std::vector<std::uint64_t>& acknowledged) const;

 private:
    void take(const bridge::kafka::ConsumedRecord& record);

    std::unique_ptr<bridge::kafka::TopicReader> reader_;
    std::atomic<std::uint64_t> records_{0};
    mutable std::mutex mutex_;
    std::map<std::string, std::vector<std::uint8_t>, std::less<>> times_seen_;  // by pump, then by sequence number
    double first_vibration_ = 0;
    double last_vibration_ = 0;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

}  // namespace sluice::agent::demo
