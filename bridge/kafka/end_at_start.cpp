#include "bridge/kafka/end_at_start.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

namespace sluice::bridge::kafka {

namespace {

std::string name_of(const storage::Log& log) {
    return "end-at-start/" + log.name();
}

/// "LOG-ID OFFSET"; nullopt where it is of another log.
std::optional<storage::Offset> parse(const std::string& note, const storage::LogId& log_id) {
    const auto prefix = log_id.to_string() + " ";
    std::int64_t offset = 0;
    if (!note.starts_with(prefix)) return std::nullopt;
    const auto* end = note.data() + note.size();
    const auto parsed = std::from_chars(note.data() + prefix.size(), end, offset);
    return parsed.ec == std::errc() && parsed.ptr == end ? std::optional(storage::Offset(offset)) : std::nullopt;
}

}  // namespace

storage::Result<storage::Offset> note_end_at_start(storage::Catalog& catalog, const storage::Log& log) {
    const auto stored = catalog.note(name_of(log));
    if (!stored) return stored.error();
    const auto earlier = *stored ? parse(**stored, log.id()) : std::nullopt;
    const auto end = std::min(earlier.value_or(log.log_end_offset()), log.log_end_offset());
    if (earlier == end) return end;
    auto done = catalog.store_note(name_of(log), log.id().to_string() + " " + std::to_string(end.value()));
    if (!done) return done.error();
    return end;
}

storage::Result<void> forget_end_at_start(storage::Catalog& catalog, const storage::Log& log) {
    return catalog.store_note(name_of(log), "");
}

}  // namespace sluice::bridge::kafka
