#include "agent/query/json_field.hpp"

#include "bridge/payload/timestamp.hpp"

#include <simdjson.h>

#include <charconv>

namespace sluice::agent::query {

namespace {

constexpr int kDepthMax = 32;
constexpr std::size_t kOffPath = SIZE_MAX;
constexpr unsigned char kFirstPrintable = 0x20;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

class Scanner {
 public:
    Scanner(std::string_view json, const JsonPath& path)
        : at_(json.data()), end_(json.data() + json.size()), path_(path) {}

    [[nodiscard]] std::optional<JsonToken> run() {
        if (!value(0, 0)) return std::nullopt;
        skip_space();
        return at_ == end_ ? std::optional(found_) : std::nullopt;
    }

 private:
    using Kind = JsonToken::Kind;

    void skip_space() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
    }
    bool take(char c) {
        skip_space();
        if (at_ == end_ || *at_ != c) return false;
        ++at_;
        return true;
    }

    /// @param on  how many steps of the path lead here; kOffPath: another way
    bool value(int depth, std::size_t on) {
        skip_space();
        if (at_ == end_ || depth > kDepthMax) return false;
        const char* const begin = at_;
        std::string_view inner;
        Kind kind{};
        switch (*at_) {
            case '{':
                kind = Kind::object;
                if (!object(depth, on)) return false;
                break;
            case '[':
                kind = Kind::array;
                if (!array(depth, on)) return false;
                break;
            case '"':
                kind = Kind::text;
                if (!string(inner)) return false;
                break;
            case 't':
                kind = Kind::yes;
                if (!word("true")) return false;
                break;
            case 'f':
                kind = Kind::no;
                if (!word("false")) return false;
                break;
            case 'n':
                kind = Kind::null;
                if (!word("null")) return false;
                break;
            default:
                if (!number(kind)) return false;
        }
        if (on == path_.steps.size()) {
            found_ = {kind,
                      kind == Kind::text ? inner : std::string_view(begin, static_cast<std::size_t>(at_ - begin))};
        }
        return true;
    }

    bool object(int depth, std::size_t on) {
        ++at_;
        if (take('}')) return true;
        // The first member of the name counts, even where it doesn't have the rest of the path.
        const auto* wanted = on < path_.steps.size() ? &path_.steps[on] : nullptr;
        if (wanted != nullptr && wanted->index && !path_.pointer) wanted = nullptr;
        do {
            skip_space();
            std::string_view name;
            if (at_ == end_ || *at_ != '"' || !string(name) || !take(':')) return false;
            const bool this_one = wanted != nullptr && name == wanted->name;
            if (this_one) wanted = nullptr;
            if (!value(depth + 1, this_one ? on + 1 : kOffPath)) return false;
        } while (take(','));
        return take('}');
    }

    bool array(int depth, std::size_t on) {
        ++at_;
        if (take(']')) return true;
        const bool inner = on < path_.steps.size() && path_.steps[on].index;
        const auto wanted = inner ? *path_.steps[on].index : SIZE_MAX;
        std::size_t index = 0;
        do {
            if (!value(depth + 1, index == wanted ? on + 1 : kOffPath)) return false;
            ++index;
        } while (take(','));
        return take(']');
    }

    bool string(std::string_view& inner) {
        const char* const begin = ++at_;
        while (at_ != end_ && *at_ != '"') {
            if (*at_ == '\\' || static_cast<unsigned char>(*at_) < kFirstPrintable) return false;
            ++at_;
        }
        if (at_ == end_) return false;
        inner = {begin, static_cast<std::size_t>(at_ - begin)};
        ++at_;
        return true;
    }

    bool word(std::string_view expected) {
        if (static_cast<std::size_t>(end_ - at_) < expected.size() ||
            std::string_view(at_, expected.size()) != expected) {
            return false;
        }
        at_ += expected.size();
        return true;
    }

    bool digits() {
        if (at_ == end_ || !is_digit(*at_)) return false;
        while (at_ != end_ && is_digit(*at_)) ++at_;
        return true;
    }

    bool number(Kind& kind) {
        kind = Kind::integer;
        if (*at_ == '-') ++at_;
        if (at_ != end_ && *at_ == '0') {
            ++at_;
        } else if (!digits()) {
            return false;
        }
        if (at_ != end_ && *at_ == '.') {
            kind = Kind::real;
            ++at_;
            if (!digits()) return false;
        }
        if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
            kind = Kind::real;
            ++at_;
            if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
            if (!digits()) return false;
        }
        return true;
    }

    const char* at_;
    const char* const end_;
    const JsonPath& path_;
    JsonToken found_;
};

std::optional<double> by_parser(std::string_view json, const std::string& pointer) {
    thread_local simdjson::dom::parser parser{bridge::kJsonBytesMax + simdjson::SIMDJSON_PADDING};
    simdjson::dom::element found;
    double number = 0;
    if (json.size() > bridge::kJsonBytesMax ||
        parser.parse(json.data(), json.size()).at_pointer(pointer).get(found) != simdjson::SUCCESS || found.is_bool() ||
        found.get_double().get(number) != simdjson::SUCCESS) {
        return std::nullopt;
    }
    return number;
}

}  // namespace

std::optional<JsonPath> JsonPath::of_pointer(std::string_view pointer) {
    if (!bridge::is_json_pointer(pointer)) return std::nullopt;
    JsonPath path;
    path.pointer = true;
    while (!pointer.empty()) {
        pointer.remove_prefix(1);
        const auto end = std::min(pointer.find('/'), pointer.size());
        Step step;
        for (std::size_t i = 0; i < end; ++i) {
            const bool escaped = pointer[i] == '~';
            if (escaped) ++i;
            step.name += escaped ? (pointer[i] == '0' ? '~' : '/') : pointer[i];
        }
        std::size_t index = 0;
        const auto* const last = step.name.data() + step.name.size();
        const auto parsed = std::from_chars(step.name.data(), last, index);
        if (parsed.ec == std::errc() && parsed.ptr == last && (step.name == "0" || step.name[0] != '0')) {
            step.index = index;
        }
        path.steps.push_back(std::move(step));
        pointer.remove_prefix(end);
    }
    return path;
}

std::optional<JsonToken> find_field(std::string_view json, const JsonPath& path) {
    return Scanner(json, path).run();
}

std::optional<double> find_number(std::string_view json, const JsonPath& path, const std::string& pointer) {
    const auto token = find_field(json, path);
    if (!token) return by_parser(json, pointer);
    if (token->kind != JsonToken::Kind::integer && token->kind != JsonToken::Kind::real) return std::nullopt;
    double number = 0;
    const auto parsed = std::from_chars(token->text.data(), token->text.data() + token->text.size(), number);
    return parsed.ec == std::errc() ? std::optional(number) : std::nullopt;
}

}  // namespace sluice::agent::query
