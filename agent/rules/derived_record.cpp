#include "agent/rules/derived_record.hpp"

#include "agent/config_diagnostic.hpp"
#include "agent/text.hpp"
#include "bridge/payload/timestamp.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cmath>

namespace sluice::agent {

namespace {

using models::rules::Derived;
using Fault = models::rules::Diagnostic;
using models::rules::RuleDiagnostic;
using Json = nlohmann::ordered_json;

constexpr int kDepthMax = 64;           // printing JSON recurses
constexpr std::size_t kHashBytes = 16;  // of 32: two different values in 10^19 have the same
constexpr double kIntegersTo = 9.0e15;  // whole numbers that a double has all of

/// An object, or nullopt.
std::optional<Json> object_of(std::string_view payload) {
    if (payload.size() > bridge::kJsonBytesMax) return std::nullopt;
    bool too_deep = false;
    const auto look = [&](int depth, Json::parse_event_t, Json&) {
        too_deep = too_deep || depth > kDepthMax;
        return !too_deep;
    };
    auto json = Json::parse(payload, look, false);
    if (too_deep || !json.is_object()) return std::nullopt;
    return json;
}

Json to_json(const Derived::Value& value) {
    if (const auto* number = std::get_if<double>(&value)) return *number;
    if (const auto* boolean = std::get_if<bool>(&value)) return *boolean;
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    return nullptr;
}

void erase(Json& content, const Json::json_pointer& at) {
    auto& parent = content.at(at.parent_pointer());
    if (parent.is_object())
        parent.erase(at.back());
    else
        content.at(at) = nullptr;  // the elements behind it keep their places
}

/// The same key order, with another name.
void rename(Json& object, const std::string& from, const std::string& to) {
    Json renamed = Json::object();
    for (auto& [name, value] : object.items()) {
        if (name != to) renamed[name == from ? to : name] = std::move(value);
    }
    object = std::move(renamed);
}

/// Null where it can't be rounded.
Json rounded(const Json& value, double step) {
    if (value.is_array()) {
        Json all = Json::array();
        for (const auto& element : value) all.push_back(rounded(element, step));
        return all;
    }
    if (!value.is_number()) return nullptr;
    const double number = value.get<double>();
    // Of 1/step there are whole numbers for 0.1 and 0.05: then the result has no more digits than were asked for.
    const double result = step < 1 ? std::round(number * (1 / step)) / (1 / step) : std::round(number / step) * step;
    if (!std::isfinite(result)) return nullptr;
    if (result == std::floor(result) && std::abs(result) < kIntegersTo && (value.is_number_integer() || step >= 1)) {
        return static_cast<std::int64_t>(result);
    }
    return result;
}

Json::json_pointer pointer(const std::string& path) {
    return Json::json_pointer(std::get<std::string>(models::rules::path_to_pointer(path)));
}

/// A text as it is, else as JSON has it.
std::string header_text(const Json& value) {
    if (value.is_null()) return "";
    if (value.is_string()) return value.get<std::string>();
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::optional<RuleDiagnostic> check_derivation(const models::rules::RuleSource& source) {
    const auto& derive = *source.derive;
    const auto wrong = [&](const char* key, const std::string& path) -> std::optional<RuleDiagnostic> {
        auto made = models::rules::path_to_pointer(path);
        auto* fault = std::get_if<Fault>(&made);
        if (fault == nullptr) return std::nullopt;
        fault->what = in_quotes(path) + ": " + fault->what;
        return RuleDiagnostic{source.name, key, std::move(*fault)};
    };
    for (const auto& path : derive.drop) {
        if (auto fault = wrong("drop", path)) return fault;
    }
    for (const auto& path : derive.hash) {
        if (auto fault = wrong("hash", path)) return fault;
    }
    for (const auto& [path, step] : derive.round) {
        if (auto fault = wrong("round", path)) return fault;
    }
    for (const auto& [path, name] : derive.rename) {
        if (auto fault = wrong("rename", path)) return fault;
    }
    auto parts = DerivedWriter::key_parts(derive.key);
    if (auto* fault = std::get_if<Fault>(&parts)) return RuleDiagnostic{source.name, "key", std::move(*fault)};
    return std::nullopt;
}

DerivedWriter::DerivedWriter(const models::rules::Rule& rule, std::string hash_key)
    : rule_(rule), hash_key_(std::move(hash_key)) {
    const auto& derive = *rule.source.derive;
    for (const auto& field : rule.fields) copied_.emplace_back(field.pointer);
    for (const auto& path : derive.drop) drop_.push_back(pointer(path));
    for (const auto& path : derive.hash) hash_.push_back(pointer(path));
    for (const auto& [path, step] : derive.round) round_.emplace_back(pointer(path), step);
    for (const auto& [path, name] : derive.rename) rename_.emplace_back(pointer(path), name);
    key_ = std::get<std::vector<KeyPart>>(key_parts(derive.key));
}

std::variant<std::vector<DerivedWriter::KeyPart>, Fault> DerivedWriter::key_parts(const std::string& text) {
    std::vector<KeyPart> parts;
    std::size_t at = 0;
    while (at < text.size()) {
        const auto open = std::min(text.find('{', at), text.size());
        if (open > at) parts.push_back({KeyPart::Kind::text, text.substr(at, open - at)});
        if (open == text.size()) break;
        const auto close = text.find('}', open);
        const auto name = text.substr(open + 1, close == std::string::npos ? close : close - open - 1);
        if (close == std::string::npos) {
            return models::rules::diagnostic(text, {open, 1}, "this brace is not closed", "such as {device}");
        }
        if (name == "device") {
            parts.push_back({KeyPart::Kind::device, {}});
        } else if (name == "device_hash") {
            parts.push_back({KeyPart::Kind::device_hash, {}});
        } else {
            auto path = models::rules::path_to_pointer(name);
            if (std::get_if<Fault>(&path) != nullptr) {
                return models::rules::diagnostic(text, {open, name.size() + 2}, in_quotes(name) + " is no field",
                                                 "{device}, {device_hash}, or a field such as {site}");
            }
            parts.push_back({KeyPart::Kind::field, {}, Pointer(std::get<std::string>(path))});
        }
        at = close + 1;
    }
    return parts;
}

std::optional<storage::Record> DerivedWriter::record(const Derived& derived,
                                                     std::optional<std::string_view> payload) const {
    Json from;
    if (payload) {
        auto object = object_of(*payload);
        if (!object) return std::nullopt;
        from = std::move(*object);
    }
    auto made = content(derived, from);
    treat(made);
    storage::Record record;
    auto name = key(made, derived.device);
    for (const auto& [path, to] : rename_) {
        if (made.contains(path)) rename(made.at(path.parent_pointer()), path.back(), to);
    }
    if (!name.empty()) record.key = std::move(name);
    record.value = made.dump(-1, ' ', false, Json::error_handler_t::replace);
    record.timestamp = derived.time;
    return record;
}

Json DerivedWriter::content(const Derived& derived, const Json& payload) const {
    if (rule_.fields.empty()) return payload;
    Json made = Json::object();
    if (rule_.source.derive->every.count() > 0) {
        made["start"] = format_time(derived.time);
        made["end"] = format_time(derived.end);
    }
    for (std::size_t i = 0; i < rule_.fields.size(); ++i) {
        const auto& field = rule_.fields[i];
        if (field.program) {
            auto value = to_json(derived.values[i]);
            if (!value.is_null()) made[field.name] = std::move(value);
        } else if (payload.contains(copied_[i])) {
            made[field.name] = payload.at(copied_[i]);
        }
    }
    return made;
}

void DerivedWriter::treat(Json& content) const {
    for (const auto& path : drop_) {
        if (content.contains(path)) erase(content, path);
    }
    for (const auto& path : hash_) {
        if (!content.contains(path) || content.at(path).is_null()) continue;
        if (hash_key_.empty())
            erase(content, path);
        else
            content.at(path) = hashed(header_text(content.at(path)));
    }
    for (const auto& [path, step] : round_) {
        if (!content.contains(path)) continue;
        auto value = rounded(content.at(path), step);
        if (value.is_null())
            erase(content, path);
        else
            content.at(path) = std::move(value);
    }
}

/// HMAC-SHA-256: without the key nobody can try names until one fits.
std::string DerivedWriter::hashed(std::string_view bytes) const {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    ::HMAC(::EVP_sha256(), hash_key_.data(), static_cast<int>(hash_key_.size()),
           reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data(), &size);
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < kHashBytes; ++i) {
        text += kDigits[digest.at(i) >> 4U];
        text += kDigits[digest.at(i) & 15U];
    }
    return text;
}

std::string DerivedWriter::key(const Json& content, const std::string& device) const {
    std::string key;
    for (const auto& part : key_) {
        switch (part.kind) {
            case KeyPart::Kind::text:
                key += part.text;
                break;
            case KeyPart::Kind::device:
                key += device;
                break;
            case KeyPart::Kind::device_hash:
                if (!device.empty() && !hash_key_.empty()) key += hashed(device);
                break;
            case KeyPart::Kind::field:
                if (content.contains(part.field)) key += header_text(content.at(part.field));
                break;
        }
    }
    return key;
}

}  // namespace sluice::agent
