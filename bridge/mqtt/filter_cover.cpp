#include "bridge/mqtt/filter_cover.hpp"

#include "bridge/mqtt/topic_levels.hpp"

namespace sluice::bridge::mqtt {

bool covers(std::string_view filter, std::string_view other) {
    if (filter == "+/#") filter = "#";  // each topic has a first level, so these two say the same
    if (other.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
    bool more = true;
    bool other_more = true;
    while (more) {
        const auto level = take_level(filter, more);
        if (level == "#") return true;  // also where no level is left: "a/#" takes in "a"
        if (!other_more) return false;
        const auto other_level = take_level(other, other_more);
        if (other_level == "#") return false;
        if (level != "+" && level != other_level) return false;
    }
    return !other_more;
}

}  // namespace sluice::bridge::mqtt
