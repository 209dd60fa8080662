// session_database.hpp: the tables behind session_store.hpp.
//
// One thread.
#pragma once

#include "bridge/mqtt/session_store.hpp"
#include "storage/sqlite.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace sluice::bridge::mqtt {

struct PutSession {
    StoredSession session;
};
struct RemoveSession {
    SubscriberId session;
};
struct PutSubscription {
    SubscriberId session;
    std::string filter;
    SubscriptionOptions options;
};
struct RemoveSubscription {
    SubscriberId session;
    std::string filter;
};
struct PutOutgoing {
    SubscriberId session;
    StoredOutgoing outgoing;
};
struct ReleaseOutgoing {
    SubscriberId session;
    std::uint64_t sequence;
};
struct RemoveOutgoing {
    SubscriberId session;
    std::uint64_t sequence;
};
struct PutIncoming {
    SubscriberId session;
    std::uint16_t packet_id;
};
struct RemoveIncoming {
    SubscriberId session;
    std::uint16_t packet_id;
};
struct PutRetained {
    MessagePtr message;  ///< an empty payload: none any more
};

using SessionChange =
    std::variant<std::monostate, PutSession, RemoveSession, PutSubscription, RemoveSubscription, PutOutgoing,
                 ReleaseOutgoing, RemoveOutgoing, PutIncoming, RemoveIncoming, PutRetained>;

class SessionDatabase {
 public:
    [[nodiscard]] static storage::Result<SessionDatabase> open(const std::string& path);
    ~SessionDatabase();
    SessionDatabase(SessionDatabase&&) noexcept;
    SessionDatabase& operator=(SessionDatabase&&) = delete;

    [[nodiscard]] storage::Result<StoredState> read();
    /// All of them, or none; durable when it returns.
    [[nodiscard]] storage::Result<void> write(const std::vector<SessionChange>& changes);

 private:
    struct Statements;
    explicit SessionDatabase(storage::Database database);

    storage::Database database_;
    std::unique_ptr<Statements> statements_;
};

}  // namespace sluice::bridge::mqtt
