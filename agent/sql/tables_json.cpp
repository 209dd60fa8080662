#include "agent/sql/tables_json.hpp"

#include "agent/admin/devices_json.hpp"
#include "agent/device_book.hpp"
#include "agent/log/cursors.hpp"
#include "agent/log/rows.hpp"
#include "bridge/kafka/forwarder.hpp"

#include <nlohmann/json.hpp>

namespace sluice::agent::sql {

using nlohmann::ordered_json;

storage::Result<std::string> streams_json(SqlContext& context) {
    const auto found = read_log_rows(context.files, context.source.data_dir);
    if (!found) return found.error();
    auto all = ordered_json::array();
    for (const auto& row : found->rows) {
        ordered_json cursor = nullptr;
        for (const auto& each : row.cursors) {
            if (each.reader == bridge::kafka::kForwardReader) cursor = each.offset.value();
        }
        all.push_back({{"stream", row.files.stream},
                       {"log_id", row.files.log_id ? ordered_json(row.files.log_id->to_string()) : nullptr},
                       {"segments", row.files.segments.size()},
                       {"log_start_offset", row.start().value()},
                       {"log_end_offset", row.end.value()},
                       {"bytes", row.bytes},
                       {"forwarded", cursor}});
    }
    return all.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

storage::Result<std::string> known_devices_json(SqlContext& context) {
    if (context.source.devices) {
        auto known = context.source.devices();
        if (known || known.error().kind() != storage::Errc::not_found) return known;
    }
    const auto note = read_note(context.files, context.source.data_dir, "devices");
    if (!note) return note.error();
    const auto json = admin::devices_json(devices_from_text(note->value_or("[]")), context.now);
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace sluice::agent::sql
