// catalog.hpp: SQLite for what is small and structured. Never in the path of each message.
//
// Losing the file loses no record: a forwarder without its cursor starts at the log start.
// Thread-safe: one connection behind a mutex; calls take milliseconds (a synced transaction).
#pragma once

#include "storage/result.hpp"
#include "storage/types.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::storage {

/// The offset up to which `reader` ("forward", a rule set's name) has finished `stream`; valid for one log id.
struct Cursor {
    std::string reader;
    std::string stream;
    LogId log_id;
    Offset offset;  ///< the first record not yet finished
};

enum class CatalogMode : std::uint8_t {
    read_write,  ///< created where missing, and migrated to the current schema
    read_only,   ///< for tools: must exist, is left as it is
};

class Catalog {
 public:
    /// @return an error for an unreadable, damaged or newer database, saying what to do.
    [[nodiscard]] static Result<std::unique_ptr<Catalog>> open(const std::string& path,
                                                               CatalogMode mode = CatalogMode::read_write);
    ~Catalog();

    /// The stored offset, or nullopt where there is none or it belongs to another log id.
    [[nodiscard]] Result<std::optional<Offset>> cursor(std::string_view reader, std::string_view stream,
                                                       const LogId& log_id) const;
    [[nodiscard]] Result<std::vector<Cursor>> cursors() const;
    /// Stores all of `cursors` in one durable transaction.
    [[nodiscard]] Result<void> store_cursors(const std::vector<Cursor>& cursors);

    /// What a source has subscribed to in its broker's session, which outlives us: filter and QoS.
    using Subscriptions = std::map<std::string, int>;
    [[nodiscard]] Result<Subscriptions> subscriptions(std::string_view source) const;
    /// Replaces those of the source, durably.
    [[nodiscard]] Result<void> store_subscriptions(std::string_view source, const Subscriptions& subscriptions);

    /// A small text of this name, for a part that keeps its own account; nullopt where there is none.
    [[nodiscard]] Result<std::optional<std::string>> note(std::string_view name) const;
    [[nodiscard]] Result<void> store_note(std::string_view name, std::string_view text);

 private:
    struct Impl;
    explicit Catalog(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::storage
