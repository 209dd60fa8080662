#include "models/rules/reference.hpp"

#include "models/learned/learned.hpp"
#include "models/rules/functions.hpp"

namespace sluice::models::rules {

namespace {

constexpr std::string_view kBegin = "<!-- functions: written by tests/tools/rules_reference -->\n";
constexpr std::string_view kEnd = "<!-- end of functions -->\n";

/// Bytes for each device, with windows of an hour.
std::string memory(const FunctionSpec& function) {
    if (function.make_of_model != nullptr) return std::to_string(remaining_column_bytes()) + " B a column";
    if (function.make == nullptr) return "";
    std::vector<Constant> constants;
    for (const auto& parameter : function.parameters) {
        if (parameter.fallback) {
            constants.push_back({*parameter.fallback, false});
            continue;
        }
        switch (parameter.kind) {
            case Parameter::Kind::word:
            case Parameter::Kind::constant:
                constants.push_back({0, false});
                break;
            case Parameter::Kind::limit:
                constants.push_back({1, false});
                break;
            case Parameter::Kind::share:
                constants.push_back({0.5, false});
                break;
            case Parameter::Kind::duration:
            case Parameter::Kind::window:
                constants.push_back({3600, false});
                break;
            default:
                break;
        }
    }
    return std::to_string(function.make(constants)->state_bytes()) + " B";
}

}  // namespace

std::string reference() {
    std::string out;
    std::string_view group;
    for (const auto& function : functions()) {
        if (function.group != group) {
            group = function.group;
            out += "\n### " + std::string(group) + "\n\n| function | | example | memory |\n| --- | --- | --- | --- |\n";
        }
        out += "| `" + signature(function) + "` | " + std::string(function.doc) + " | `" +
               std::string(function.example) + "` | " + memory(function) + " |\n";
    }
    return out + '\n';
}

std::string with_reference(const std::string& page) {
    const auto begin = page.find(kBegin);
    const auto end = page.find(kEnd);
    if (begin == std::string::npos || end == std::string::npos || end < begin) return page;
    return page.substr(0, begin + kBegin.size()) + reference() + page.substr(end);
}

}  // namespace sluice::models::rules
