#include "agent/rules/alert_book.hpp"

namespace sluice::agent {

using Json = nlohmann::ordered_json;

void AlertBook::note(const std::string& value) {
    const auto json = Json::parse(value, nullptr, false);
    const auto text = [&](const char* key) {
        return json.is_object() && json.contains(key) && json[key].is_string() ? json[key].get<std::string>()
                                                                               : std::string();
    };
    const auto id = text("id");
    if (id.empty()) return;
    const std::lock_guard lock(mutex_);
    recent_.push_back(value);
    if (recent_.size() > kRecentMax) recent_.pop_front();
    if (text("state") != "firing")
        firing_.erase(id);
    else if (firing_.size() < kFiringMax)
        firing_[id] = {text("rule"), value};
}

void AlertBook::clear() {
    const std::lock_guard lock(mutex_);
    firing_.clear();
    recent_.clear();
}

std::size_t AlertBook::firing() const {
    const std::lock_guard lock(mutex_);
    return firing_.size();
}

Json AlertBook::json() const {
    Json all = {{"firing", Json::array()}, {"recent", Json::array()}};
    const std::lock_guard lock(mutex_);
    for (const auto& [id, firing] : firing_) all["firing"].push_back(Json::parse(firing.value));
    for (const auto& value : recent_) all["recent"].push_back(Json::parse(value));
    return all;
}

std::map<std::string, std::uint64_t> AlertBook::firing_by_rule() const {
    std::map<std::string, std::uint64_t> rules;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, firing] : firing_) ++rules[firing.rule];
    return rules;
}

}  // namespace sluice::agent
