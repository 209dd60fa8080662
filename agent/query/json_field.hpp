// json_field.hpp: one field out of a JSON document, in one pass over it and without building anything.
//
// For queries, which take the same field out of millions of small documents. It checks the whole document, strictly,
// and gives up on what is rare (escapes, deep nesting): the caller then asks a complete parser. So what it answers is
// right for RFC 8259, and nothing is answered out of a document that is damaged behind the field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::agent::query {

/// Member names and array indexes from the root on.
struct JsonPath {
    struct Step {
        std::string name;
        std::optional<std::size_t> index;  ///< where it is one
    };
    std::vector<Step> steps;
    bool pointer = false;  ///< a step that looks like a number is an index in an array, and a name in an object

    /// RFC 6901. nullopt: it is none
    [[nodiscard]] static std::optional<JsonPath> of_pointer(std::string_view pointer);
};

struct JsonToken {
    enum class Kind : std::uint8_t { missing, null, yes, no, integer, real, text, object, array };
    Kind kind = Kind::missing;
    std::string_view text;  ///< as it is written; of a string what is between the quotes
};

/// The value at `path`; where a member is there twice, the first one.
/// @return nullopt: no JSON, or more than this can tell: strings with escapes, more than 32 levels
[[nodiscard]] std::optional<JsonToken> find_field(std::string_view json, const JsonPath& path);

/// The number at `path`, whatever the document is like; nullopt: there is none. Booleans are none.
[[nodiscard]] std::optional<double> find_number(std::string_view json, const JsonPath& path,
                                                const std::string& pointer);

}  // namespace sluice::agent::query
