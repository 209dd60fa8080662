#include "bridge/mqtt/acl.hpp"

#include "bridge/mqtt/filter_cover.hpp"
#include "bridge/mqtt/text_lines.hpp"
#include "bridge/mqtt/topic_name.hpp"
#include "bridge/mqtt/user_name.hpp"
#include "bridge/mqtt/utf8.hpp"

namespace sluice::bridge::mqtt {

using storage::Errc;
using storage::Error;
using storage::Result;

namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::size_t kFilterBytesMax = 65'535;  // a UTF-8 encoded string has a two-byte length

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// Takes the first word off the front, and the blanks after it.
std::string_view take_word(std::string_view& rest) {
    const auto end = rest.find_first_of(kBlanks);
    const auto word = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : trimmed(rest.substr(end));
    return word;
}

Error invalid(const std::string& what) {
    return {Errc::invalid, what};
}

/// As an error shows it: what a person wrote, if it fits on a line and is fit for one.
std::string quoted(std::string_view text) {
    constexpr std::size_t kShownMax = 60;
    return text.size() <= kShownMax && is_printable(text) ? "\"" + std::string(text) + "\"" : "that";
}

Result<void> check_filter(std::string_view filter) {
    if (filter.size() > kFilterBytesMax) return invalid("a topic filter has at most 65535 bytes");
    if (!is_mqtt_text(filter)) return invalid("a topic filter is UTF-8");
    if (is_shared(filter)) return invalid("$share/GROUP/FILTER is judged by FILTER: write only that");
    if (!is_topic_filter(filter)) {
        return invalid(quoted(filter) + " is no topic filter (\"+\" and \"#\" are whole levels, \"#\" the last one)");
    }
    return {};
}

/// The value of %u or %c as far as a pattern takes it; nullopt: the pattern doesn't apply.
std::optional<std::string_view> value_of(char letter, const Identity& identity) {
    if (letter == 'u' && !identity.user) return std::nullopt;
    const std::string_view value = letter == 'u' ? *identity.user : identity.client_id;
    if (value.empty() || value.find_first_of("/+#") != std::string_view::npos) return std::nullopt;
    return value;
}

bool is_placeholder(std::string_view text) {
    return text.starts_with("%u") || text.starts_with("%c");
}

/// The filter that a pattern is for this client; nullopt: none.
std::optional<std::string> expand(std::string_view pattern, const Identity& identity) {
    std::string filter;
    while (!pattern.empty()) {
        if (is_placeholder(pattern)) {
            const auto value = value_of(pattern[1], identity);
            if (!value || (filter.empty() && value->starts_with('$'))) return std::nullopt;
            filter += *value;
            pattern.remove_prefix(2);
        } else {
            const auto literal = pattern.substr(0, pattern.find('%', 1));  // a "%" in front is nothing but itself
            filter += literal;
            pattern.remove_prefix(literal.size());
        }
    }
    return filter;
}

}  // namespace

/// One line after the other, with the user whose rules they are.
class Acl::Parser {
 public:
    explicit Parser(Acl& acl) : acl_(acl), rules_(&acl.anonymous_) {}

    Result<void> take(std::string_view line) {
        auto rest = trimmed(line);
        if (rest.empty() || rest.starts_with('#')) return {};
        const auto word = take_word(rest);
        if (word == "user") return take_user(rest);
        if (word == "topic") return take_rule(rest, *rules_);
        if (word == "pattern") return take_rule(rest, acl_.patterns_);
        return invalid(quoted(word) + " is not topic, user or pattern");
    }

 private:
    Result<void> take_user(std::string_view name) {
        if (name.empty()) return invalid("no name after user");
        if (auto good = check_user_name(name); !good) return good;
        rules_ = &acl_.users_[std::string(name)];
        return {};
    }

    static Result<void> take_rule(std::string_view rest, Rules& rules) {
        if (rest.empty()) return invalid("no topic filter");
        auto filter = rest;
        const auto word = take_word(filter);
        auto right = parse_right(word);
        if (filter.empty()) {
            if (right) return invalid("no topic filter after " + std::string(word));
            filter = word;
            right = Right::readwrite;
        }
        if (!right) return invalid(quoted(word) + " is not read, write, readwrite or deny");
        if (auto good = check_filter(filter); !good) return good;
        rules.push_back({*right, std::string(filter)});
        return {};
    }

    static std::optional<Right> parse_right(std::string_view word) {
        if (word == "read") return Right::read;
        if (word == "write") return Right::write;
        if (word == "readwrite") return Right::readwrite;
        if (word == "deny") return Right::deny;
        return std::nullopt;
    }

    Acl& acl_;
    Rules* rules_;  // a map's element stays where it is
};

Result<Acl> Acl::load(std::string_view text, std::string_view file) {
    Acl acl;
    Parser parser(acl);
    std::size_t number = 0;
    for (auto rest = text; !rest.empty();) {
        ++number;
        if (auto taken = parser.take(take_line(rest)); !taken) {
            return taken.error().at(std::string(file) + ":" + std::to_string(number));
        }
    }
    return acl;
}

const Acl::Rules* Acl::rules_of(const Identity& identity) const {
    if (!identity.user) return &anonymous_;
    const auto at = users_.find(*identity.user);
    return at == users_.end() ? nullptr : &at->second;
}

bool Acl::allows(const Identity& identity, std::string_view filter, Right wanted) const {
    bool allowed = false;
    bool denied = false;
    const auto judge = [&](Right right, std::string_view covering) {
        if (right != Right::deny && right != wanted && right != Right::readwrite) return;
        if (!covers(covering, filter)) return;
        (right == Right::deny ? denied : allowed) = true;
    };
    if (const auto* rules = rules_of(identity)) {
        for (const auto& rule : *rules) judge(rule.right, rule.filter);
    }
    for (const auto& rule : patterns_) {
        if (const auto expanded = expand(rule.filter, identity)) judge(rule.right, *expanded);
    }
    return allowed && !denied;
}

bool Acl::may_publish(const Identity& identity, std::string_view topic) const {
    return allows(identity, topic, Right::write);
}

bool Acl::may_subscribe(const Identity& identity, std::string_view filter) const {
    if (!is_shared(filter)) return allows(identity, filter, Right::read);
    const auto shared = parse_shared(filter);
    return shared && allows(identity, shared->filter, Right::read);
}

bool Acl::may_read(const Identity& identity, std::string_view topic) const {
    return allows(identity, topic, Right::read);
}

}  // namespace sluice::bridge::mqtt
