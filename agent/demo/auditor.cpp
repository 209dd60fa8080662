#include "agent/demo/auditor.hpp"

#include "agent/demo/devices.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace sluice::agent::demo {

Auditor::Auditor(std::unique_ptr<bridge::kafka::TopicReader> reader)
    : reader_(std::move(reader)), thread_([this] {
          while (!stop_) {
              reader_->poll(std::chrono::milliseconds(100),
                            [this](const bridge::kafka::ConsumedRecord& record) { take(record); });
          }
      }) {}

Auditor::~Auditor() {
    stop_ = true;
    thread_.join();
}

void Auditor::take(const bridge::kafka::ConsumedRecord& record) {
    const auto payload = nlohmann::json::parse(record.value.value_or(""), nullptr, false);
    const auto sequence = payload.is_object() ? payload.value("seq", -1) : -1;
    if (!record.key || sequence < 0) return;
    const std::lock_guard lock(mutex_);
    auto& seen = times_seen_[std::string(*record.key)];
    const auto index = static_cast<std::size_t>(sequence);
    if (seen.size() <= index) seen.resize(index + 1);
    if (seen[index] < UINT8_MAX) ++seen[index];
    if (*record.key == kWornPump) {
        last_vibration_ = payload.value("vibration", 0.0);
        if (sequence == 0) first_vibration_ = last_vibration_;
    }
    ++records_;
}

Verdict Auditor::verdict(const std::vector<std::uint64_t>& acknowledged) const {
    const std::lock_guard lock(mutex_);
    Verdict verdict;
    verdict.first_vibration = first_vibration_;
    verdict.last_vibration = last_vibration_;
    for (std::size_t i = 0; i < acknowledged.size(); ++i) {
        verdict.published += acknowledged[i];
        const auto found = times_seen_.find(pump_name(static_cast<int>(i) + 1));
        const auto arrived = found == times_seen_.end() ? std::vector<std::uint8_t>() : found->second;
        for (std::size_t sequence = 0; sequence < std::max<std::size_t>(arrived.size(), acknowledged[i]); ++sequence) {
            const auto times = sequence < arrived.size() ? arrived[sequence] : 0U;
            const bool promised = sequence < acknowledged[i];
            if (promised && times > 0) ++verdict.in_kafka;
            if (promised && times == 0) ++verdict.lost;
            if (times > 1) verdict.duplicates += times - 1U;
        }
    }
    return verdict;
}

}  // namespace sluice::agent::demo
