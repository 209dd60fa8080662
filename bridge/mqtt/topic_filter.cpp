#include "bridge/mqtt/topic_filter.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>

namespace sluice::bridge::mqtt {

namespace {

constexpr std::size_t kTopicBytesMax = 65'535;  // a UTF-8 encoded string has a two-byte length

storage::Error invalid(std::string_view filter, std::string_view what) {
    return {storage::Errc::invalid, "topic filter \"" + std::string(filter) + "\": " + std::string(what)};
}

bool is_name(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
}

/// Takes the text up to the next "/" off the front; false after the last level.
bool take_level(std::string_view& rest, bool& more, std::string_view& level) {
    if (!more) return false;
    const auto slash = rest.find('/');
    level = rest.substr(0, slash);
    more = slash != std::string_view::npos;
    rest = more ? rest.substr(slash + 1) : std::string_view();
    return true;
}

}  // namespace

storage::Result<TopicFilter> TopicFilter::parse(std::string_view text) {
    if (text.empty()) return invalid(text, "is empty");
    if (text.size() > kTopicBytesMax) return invalid(text.substr(0, 40), "is longer than 65535 bytes");
    if (text.find('\0') != std::string_view::npos) return invalid(text, "contains a null character");
    TopicFilter filter;
    auto rest = text;
    bool more = true;
    for (std::string_view level; take_level(rest, more, level);) {
        if (level == "#") {
            if (more) return invalid(text, "\"#\" must be the last level");
            filter.levels_.push_back({Kind::rest, {}});
        } else if (level == "+") {
            filter.levels_.push_back({Kind::any, {}});
        } else if (level.starts_with('{') && level.ends_with('}') && level.size() >= 2) {
            const std::string name(level.substr(1, level.size() - 2));
            if (!is_name(name)) return invalid(text, "a capture's name is of letters, digits, \"_\" and \"-\"");
            if (std::find(filter.names_.begin(), filter.names_.end(), name) != filter.names_.end()) {
                return invalid(text, "capture {" + name + "} is there twice");
            }
            filter.names_.push_back(name);
            filter.levels_.push_back({Kind::capture, {}});
        } else if (level.find_first_of("+#{}") != std::string_view::npos) {
            return invalid(text, "\"+\", \"#\" and captures must be a whole level");
        } else {
            filter.levels_.push_back({Kind::literal, std::string(level)});
        }
    }
    return filter;
}

std::string TopicFilter::subscription() const {
    std::string text;
    for (std::size_t i = 0; i < levels_.size(); ++i) {
        if (i > 0) text += '/';
        switch (levels_[i].kind) {
            case Kind::literal:
                text += levels_[i].text;
                break;
            case Kind::any:
            case Kind::capture:
                text += '+';
                break;
            case Kind::rest:
                text += '#';
                break;
        }
    }
    return text;
}

bool TopicFilter::matches(std::string_view topic, std::vector<std::string_view>& captures) const {
    captures.clear();
    if (topic.starts_with('$') && levels_.front().kind != Kind::literal) return false;
    auto rest = topic;
    bool more = true;
    std::string_view level;
    for (const auto& wanted : levels_) {
        if (wanted.kind == Kind::rest) return true;  // also where no level is left: "a/#" matches "a"
        if (!take_level(rest, more, level)) return false;
        if (wanted.kind == Kind::literal && wanted.text != level) return false;
        if (wanted.kind == Kind::capture) captures.push_back(level);
    }
    return !more;
}

bool TopicFilter::overlaps(const TopicFilter& other) const {
    const auto starts_with_dollar = [](const Level& level) {
        return level.kind == Kind::literal && level.text.starts_with('$');
    };
    const auto& first = levels_.front();
    const auto& other_first = other.levels_.front();
    if (starts_with_dollar(first) && other_first.kind != Kind::literal) return false;
    if (starts_with_dollar(other_first) && first.kind != Kind::literal) return false;
    const auto length = std::max(levels_.size(), other.levels_.size());
    for (std::size_t i = 0; i < length; ++i) {
        const bool rest_here = i < levels_.size() && levels_[i].kind == Kind::rest;
        const bool rest_there = i < other.levels_.size() && other.levels_[i].kind == Kind::rest;
        if (rest_here || rest_there) return true;
        if (i >= levels_.size() || i >= other.levels_.size()) return false;
        const auto& a = levels_[i];
        const auto& b = other.levels_[i];
        if (a.kind == Kind::literal && b.kind == Kind::literal && a.text != b.text) return false;
    }
    return true;
}

bool TopicFilter::covers(const TopicFilter& other) const {
    if (!overlaps(other)) return false;
    for (std::size_t i = 0; i < levels_.size(); ++i) {
        const auto kind = levels_[i].kind;
        if (kind == Kind::rest) return true;
        if (i >= other.levels_.size() || other.levels_[i].kind == Kind::rest) return false;
        if (kind == Kind::literal && other.levels_[i].kind != Kind::literal) return false;
    }
    return levels_.size() == other.levels_.size();
}

}  // namespace sluice::bridge::mqtt
