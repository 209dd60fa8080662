// query_string.hpp: what stands behind '?': names and values, percent-decoded.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::agent::admin {

class QueryString {
 public:
    /// @return nullopt: a broken escape, or a name that stands twice
    [[nodiscard]] static std::optional<QueryString> parse(std::string_view text);

    /// nullopt: it isn't there
    [[nodiscard]] std::optional<std::string> find(const std::string& name) const;
    /// A number from `least` to `most`; `otherwise` where it isn't there; nullopt where it is no such number.
    [[nodiscard]] std::optional<std::int64_t> number(const std::string& name, std::int64_t least, std::int64_t most,
                                                     std::int64_t otherwise) const;

 private:
    std::map<std::string, std::string> values_;
};

}  // namespace sluice::agent::admin
