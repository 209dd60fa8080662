// uplink_files.hpp: the certificates and keys that the uplink's properties name, and whether they have changed.
//
// librdkafka reads them when a producer is made. Whoever renews certificates replaces the files one after the other, so
// a change counts only when nothing has changed any more for an interval, and when librdkafka can start with what is
// there. One thread.
#pragma once

#include "bridge/kafka/options.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::agent {

class UplinkFiles {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::seconds kInterval{2};

    explicit UplinkFiles(const bridge::kafka::ClusterOptions& options);

    [[nodiscard]] bool any() const { return !paths_.empty(); }
    /// Looks at most once an interval. @return whether they are others than those that the producer has read
    [[nodiscard]] bool changed(TimePoint now);
    /// The producer is about to read them.
    /// @return nullopt, or why it can't, without secrets: it should keep what it has
    [[nodiscard]] std::optional<std::string> take();

 private:
    using Look = std::vector<std::string>;  // of each file, what changes with it
    [[nodiscard]] Look look() const;

    const bridge::kafka::ClusterOptions options_;
    std::vector<std::string> paths_;
    Look taken_;  // as the producer has them, or as they were refused
    Look last_;
    TimePoint next_{};
};

/// Whether a text has the value of a secret property in it.
[[nodiscard]] bool shows_secret(const std::string& text, const std::map<std::string, std::string>& properties);

}  // namespace sluice::agent
