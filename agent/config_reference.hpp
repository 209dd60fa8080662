// config_reference.hpp: the keys of the configuration as their readers declare them, and the tables of
// docs/configuration.md that are written from that.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::agent {

/// What a key's reader says of it for people. The type, the range and, as a rule, the default are not here: they are
/// those that the reader goes by. Markdown.
struct KeyDoc {
    // Implicit, so that a reader just ends with the sentence.
    KeyDoc(const char* sentence, const char* without = "", const char* what = "")  // NOLINT(*-explicit-*)
        : meaning(sentence), fallback(without), kind(what) {}

    std::string_view meaning;   ///< one sentence
    std::string_view fallback;  ///< where the default is not the value that the reader starts with: "the host name"
    std::string_view kind;      ///< where not every value of the type will do: "topic filter"
};

struct ConfigKey {
    std::string name;  ///< "kafka.brokers"
    std::string type;  ///< "duration, `0s` to `1h`"
    std::string fallback;
    std::string meaning;
};

/// Every key of this version, in the order of reading. The readers are the list: there is no other.
[[nodiscard]] std::vector<ConfigKey> config_keys();

/// `page` with the table after each "<!-- keys of SECTION SECTION … -->" written anew; what is between stays.
[[nodiscard]] std::string with_config_reference(const std::string& page);

}  // namespace sluice::agent
