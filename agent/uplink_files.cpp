#include "agent/uplink_files.hpp"

#include "agent/config_secret.hpp"
#include "bridge/kafka/kafka_config.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace sluice::agent {

UplinkFiles::UplinkFiles(const bridge::kafka::ClusterOptions& options) : options_(options) {
    for (const auto& [name, value] : options.properties) {
        if (name.starts_with("ssl.") && name.ends_with(".location") && !value.empty()) paths_.push_back(value);
    }
    taken_ = last_ = look();
}

UplinkFiles::Look UplinkFiles::look() const {
    Look seen;
    for (const auto& path : paths_) {
        struct stat info {};
        const bool there = ::stat(path.c_str(), &info) == 0;
        seen.push_back(there ? std::to_string(info.st_ino) + " " + std::to_string(info.st_size) + " " +
                                   std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec)
                             : std::string());
    }
    return seen;
}

bool UplinkFiles::changed(TimePoint now) {
    if (now < next_) return false;
    next_ = now + kInterval;
    const auto before = std::exchange(last_, look());
    return last_ == before && last_ != taken_;
}

std::optional<std::string> UplinkFiles::take() {
    taken_ = look();
    auto fault = bridge::kafka::fault_at_start(options_);
    if (fault && shows_secret(*fault, options_.properties)) return "for a reason that has a secret in it";
    return fault;
}

bool shows_secret(const std::string& text, const std::map<std::string, std::string>& properties) {
    return std::ranges::any_of(properties, [&](const auto& property) {
        return is_secret_property(property.first) && !property.second.empty() &&
               text.find(property.second) != std::string::npos;
    });
}

}  // namespace sluice::agent
