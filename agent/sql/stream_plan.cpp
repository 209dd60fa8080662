#include "agent/sql/stream_plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace sluice::agent::sql {

using storage::Offset;
using storage::Timestamp;

namespace {

// A scan of all, as the planner is told: it only compares. Each bound that helps makes it cheaper.
constexpr double kWholeCost = 1e7;
constexpr sqlite3_int64 kWholeRows = 1'000'000;
constexpr double kFarFromZero = 9e18;

char letter_of(unsigned char op) {
    switch (op) {
        case SQLITE_INDEX_CONSTRAINT_EQ:
            return '=';
        case SQLITE_INDEX_CONSTRAINT_GT:
            return '>';
        case SQLITE_INDEX_CONSTRAINT_GE:
            return 'g';
        case SQLITE_INDEX_CONSTRAINT_LT:
            return '<';
        case SQLITE_INDEX_CONSTRAINT_LE:
            return 'l';
        default:
            return 0;
    }
}

bool is_useful(sqlite3_index_info* info, int at) {
    const auto& constraint = info->aConstraint[at];
    const char letter = letter_of(constraint.op);
    if (constraint.usable == 0 || letter == 0) return false;
    if (constraint.iColumn == kKey) {
        // One scan for all of `key IN (…)`, not one for each.
        return letter == '=' && sqlite3_vtab_in(info, at, -1) == 0 &&
               std::string_view(sqlite3_vtab_collation(info, at)) == "BINARY";
    }
    return constraint.iColumn == kOffset || constraint.iColumn == kTimestamp;
}

void estimate(sqlite3_index_info* info, const std::string& plan) {
    double part = 1;
    for (std::size_t i = 0; i < plan.size(); i += 2) {
        if (plan[i] == 'o' && plan[i + 1] == '=') part = 1e-6;
        part *= plan[i] == 'k' ? 0.5 : 0.25;
    }
    info->estimatedCost = kWholeCost * part;
    info->estimatedRows = std::max<sqlite3_int64>(1, static_cast<sqlite3_int64>(kWholeRows * part));
}

/// The least integer that is not below the value, or the greatest that is not above it; nullopt: it is no number, or
/// one beyond all.
std::optional<std::int64_t> whole(sqlite3_value* value, bool round_up) {
    switch (sqlite3_value_type(value)) {
        case SQLITE_INTEGER:
            return sqlite3_value_int64(value);
        case SQLITE_FLOAT: {
            const double number = sqlite3_value_double(value);
            if (!(std::abs(number) < kFarFromZero)) return std::nullopt;
            return static_cast<std::int64_t>(round_up ? std::ceil(number) : std::floor(number));
        }
        default:
            return std::nullopt;
    }
}

/// Bounds that only shrink: whatever the query says twice.
struct Bounds {
    std::int64_t first = std::numeric_limits<std::int64_t>::min();
    std::int64_t last = std::numeric_limits<std::int64_t>::max();

    void take(char op, sqlite3_value* value) {
        // `> 5` as `>= 5`: SQLite looks at the row itself.
        const auto lower = op == '<' || op == 'l' ? std::nullopt : whole(value, true);
        const auto upper = op == '>' || op == 'g' ? std::nullopt : whole(value, false);
        if (lower) first = std::max(first, *lower);
        if (upper) last = std::min(last, *upper);
    }
};

std::string_view bytes_of(sqlite3_value* value) {
    const auto* const bytes = static_cast<const char*>(sqlite3_value_blob(value));
    return {bytes, static_cast<std::size_t>(sqlite3_value_bytes(value))};
}

}  // namespace

int plan_scan(sqlite3_index_info* info) {
    std::string plan;
    for (int i = 0; i < info->nConstraint; ++i) {
        if (!is_useful(info, i)) continue;
        const auto& constraint = info->aConstraint[i];
        plan += constraint.iColumn == kKey ? 'k' : constraint.iColumn == kTimestamp ? 't' : 'o';
        plan += letter_of(constraint.op);
        info->aConstraintUsage[i].argvIndex = static_cast<int>(plan.size() / 2);
    }
    info->idxNum = info->colUsed == 0 && plan.empty() ? kCountOnly : 0;
    if (info->nOrderBy == 1 && info->aOrderBy[0].iColumn == kOffset) {
        info->orderByConsumed = 1;
        if (info->aOrderBy[0].desc != 0) info->idxNum |= kDescending;
    }
    estimate(info, plan);
    info->idxStr = sqlite3_mprintf("%s", plan.c_str());
    info->needToFreeIdxStr = 1;
    return info->idxStr == nullptr ? SQLITE_NOMEM : SQLITE_OK;
}

query::ScanRange range_of(int flags, std::string_view plan, std::span<sqlite3_value*> values) {
    query::ScanRange range;
    range.descending = (flags & kDescending) != 0;
    Bounds offsets;
    Bounds times;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const char column = plan[2 * i];
        const char op = plan[2 * i + 1];
        const auto type = sqlite3_value_type(values[i]);
        if (column == 'o') offsets.take(op, values[i]);
        if (column == 't') times.take(op, values[i]);
        if (column == 'k' && (type == SQLITE_TEXT || type == SQLITE_BLOB)) range.key = bytes_of(values[i]);
    }
    range.first = std::max(range.first, Offset(offsets.first));
    range.last = std::min(range.last, Offset(offsets.last));
    if (times.first != std::numeric_limits<std::int64_t>::min()) {
        range.since = Timestamp(std::chrono::milliseconds(times.first));
    }
    return range;
}

}  // namespace sluice::agent::sql
