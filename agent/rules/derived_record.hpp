// derived_record.hpp: what a derivation says, as a record: fields that were calculated, or the payload that is there,
// less what must not leave the gateway.
//
// Why what can't be treated is left out: a field that is to be rounded and is no number, or hashed without a key, would
// otherwise pass as it is, and nobody would see it. A payload that is no JSON object gives no record at all.
// Order: fields are copied or calculated, then dropped, hashed, rounded, renamed. Paths of these four are those before
// they are renamed.
#pragma once

#include "models/rules/rule_set.hpp"
#include "storage/record.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice::agent {

/// What is wrong with a path or a key's template of a derivation; nullopt: nothing. `key` gets the one of its keys.
[[nodiscard]] std::optional<models::rules::RuleDiagnostic> check_derivation(const models::rules::RuleSource& source);

class DerivedWriter {
 public:
    /// @param rule      a derivation for which check_derivation() finds nothing
    /// @param hash_key  for `hash` and {device_hash}; empty: what needs it is left out
    DerivedWriter(const models::rules::Rule& rule, std::string hash_key);

    /// @param payload  of the record at hand; nullopt at the end of an interval
    /// @return nullopt where the payload is no JSON object
    [[nodiscard]] std::optional<storage::Record> record(const models::rules::Derived& derived,
                                                        std::optional<std::string_view> payload) const;

 private:
    using Json = nlohmann::ordered_json;
    using Pointer = Json::json_pointer;
    struct KeyPart {
        enum class Kind : std::uint8_t { text, device, device_hash, field };
        Kind kind = Kind::text;
        std::string text;
        Pointer field{};
    };

    friend std::optional<models::rules::RuleDiagnostic> check_derivation(const models::rules::RuleSource& source);
    [[nodiscard]] static std::variant<std::vector<KeyPart>, models::rules::Diagnostic> key_parts(
        const std::string& text);
    [[nodiscard]] Json content(const models::rules::Derived& derived, const Json& payload) const;
    void treat(Json& content) const;
    [[nodiscard]] std::string hashed(std::string_view bytes) const;
    [[nodiscard]] std::string key(const Json& content, const std::string& device) const;

    const models::rules::Rule& rule_;
    const std::string hash_key_;
    std::vector<Pointer> copied_;  // of rule_.fields
    std::vector<Pointer> drop_;
    std::vector<Pointer> hash_;
    std::vector<std::pair<Pointer, double>> round_;
    std::vector<std::pair<Pointer, std::string>> rename_;
    std::vector<KeyPart> key_;
};

}  // namespace sluice::agent
