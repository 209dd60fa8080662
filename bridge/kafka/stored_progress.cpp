#include "bridge/kafka/stored_progress.hpp"

#include "bridge/kafka/forwarder.hpp"

#include <string_view>

namespace sluice::bridge::kafka {

namespace {

std::string ahead_note(const std::string& stream) {
    return "forward-ahead/" + stream;
}

}  // namespace

storage::Result<std::optional<Progress>> load_progress(storage::Catalog& catalog, const std::string& stream,
                                                       const storage::LogId& id) {
    const auto stored = catalog.cursor(kForwardReader, stream, id);
    if (!stored) return stored.error();
    const auto note = catalog.note(ahead_note(stream));
    if (!note) return note.error();
    const auto of_this_log = id.to_string() + " ";
    std::optional<std::vector<OffsetRange>> ahead;
    if (*note && (*note)->starts_with(of_this_log)) {
        ahead = parse_ranges(std::string_view(**note).substr(of_this_log.size()));
    }
    if (!*stored && !ahead) return std::optional<Progress>();
    Progress progress{stored->value_or(storage::Offset(0)), ahead.value_or(std::vector<OffsetRange>())};
    progress.normalize();
    return std::optional(std::move(progress));
}

storage::Result<void> store_ahead(storage::Catalog& catalog, const std::string& stream, const storage::LogId& id,
                                  const std::vector<OffsetRange>& ahead) {
    return catalog.store_note(ahead_note(stream), id.to_string() + " " + to_text(ahead));
}

}  // namespace sluice::bridge::kafka
