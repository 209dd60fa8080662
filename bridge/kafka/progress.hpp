// progress.hpp: what of a stream is finished: everything before an offset, and ranges beyond it.
//
// With order = "live_first" the newest records overtake a backlog, so what is finished has a hole. Each part is a fact
// of its own that stays true: two accounts of one stream, of any age, may be united. Formats: docs/exactly-once.md
// (position), docs/decisions/live-first.md. No I/O.
#pragma once

#include "storage/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::bridge::kafka {

struct OffsetRange {
    storage::Offset first;
    storage::Offset next;  ///< the first after it
    friend bool operator==(const OffsetRange&, const OffsetRange&) = default;
};

struct Progress {
    storage::Offset next;            ///< everything before is finished
    std::vector<OffsetRange> ahead;  ///< and these; beyond next, ascending, apart, none empty

    /// Brings any ranges into this form.
    void normalize();
    /// Nothing at or after `end` is finished: other records get those offsets.
    void clip(storage::Offset end);
    /// The end of the last range: what a lane of the newest goes on from.
    [[nodiscard]] storage::Offset end() const { return ahead.empty() ? next : ahead.back().next; }
    /// Finished records beyond next.
    [[nodiscard]] std::uint64_t records_ahead() const;
    friend bool operator==(const Progress&, const Progress&) = default;
};

/// What either says.
[[nodiscard]] Progress unite(const Progress& a, const Progress& b);

/// "first-next first-next"; empty where there are none.
[[nodiscard]] std::string to_text(const std::vector<OffsetRange>& ranges);
[[nodiscard]] std::optional<std::vector<OffsetRange>> parse_ranges(std::string_view text);

}  // namespace sluice::bridge::kafka
