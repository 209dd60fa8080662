// alert_book.hpp: which alerts fire now, and what came about last: for people, from the log of alerts.
//
// The state of the rules is what counts; this is a copy of what the log has, which any thread may read. An alert whose
// beginning is not kept any more is not in it. Bounded: kFiringMax alerts, the newest kRecentMax changes.
#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>

namespace sluice::agent {

class AlertBook {
 public:
    static constexpr std::size_t kFiringMax = 10'000;
    static constexpr std::size_t kRecentMax = 1000;

    /// The next record of the alerts' log. @param value  its JSON; what is none is passed over
    void note(const std::string& value);
    void clear();
    [[nodiscard]] std::size_t firing() const;

    /// {"firing": [alerts, by rule and device], "recent": [changes, the newest last]}, each as its record has it.
    [[nodiscard]] nlohmann::ordered_json json() const;
    [[nodiscard]] std::map<std::string, std::uint64_t> firing_by_rule() const;

 private:
    struct Firing {
        std::string rule;
        std::string value;
    };
    mutable std::mutex mutex_;
    std::map<std::string, Firing> firing_;  // by id
    std::deque<std::string> recent_;
};

}  // namespace sluice::agent
