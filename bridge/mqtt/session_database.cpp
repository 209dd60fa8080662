#include "bridge/mqtt/session_database.hpp"

#include "bridge/mqtt/packet_encode.hpp"
#include "bridge/mqtt/publish_packet.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

using storage::Error;
using storage::Result;
using storage::Statement;

// One migration a version. Never edit one that was released. A message is its time of arrival (milliseconds since the
// epoch, 8 bytes, big-endian) and its PUBLISH packet of MQTT 5.
constexpr std::array<const char*, 1> kMigrations = {
    "CREATE TABLE session ("
    "  id INTEGER PRIMARY KEY,"
    "  client_id TEXT NOT NULL UNIQUE,"
    "  user TEXT,"
    "  expiry_interval INTEGER NOT NULL,"
    "  ends_at INTEGER,"
    "  will BLOB,"
    "  will_delay INTEGER NOT NULL,"
    "  will_at INTEGER"
    ");"
    "CREATE TABLE subscription ("
    "  session INTEGER NOT NULL,"
    "  filter TEXT NOT NULL,"
    "  qos INTEGER NOT NULL,"
    "  no_local INTEGER NOT NULL,"
    "  retain_as_published INTEGER NOT NULL,"
    "  identifier INTEGER,"
    "  PRIMARY KEY (session, filter)"
    ") WITHOUT ROWID;"
    "CREATE TABLE outgoing ("
    "  session INTEGER NOT NULL,"
    "  sequence INTEGER NOT NULL,"
    "  packet_id INTEGER NOT NULL,"
    "  qos INTEGER NOT NULL,"
    "  retain INTEGER NOT NULL,"
    "  released INTEGER NOT NULL,"
    "  identifiers BLOB NOT NULL,"
    "  message BLOB,"
    "  PRIMARY KEY (session, sequence)"
    ") WITHOUT ROWID;"
    "CREATE TABLE incoming ("
    "  session INTEGER NOT NULL,"
    "  packet_id INTEGER NOT NULL,"
    "  PRIMARY KEY (session, packet_id)"
    ") WITHOUT ROWID;"
    "CREATE TABLE retained (topic TEXT PRIMARY KEY, message BLOB NOT NULL) WITHOUT ROWID",
};

// Sessions of a busy server change all the time; a longer journal saves the flash pages that change twice.
constexpr int kCheckpointPages = 1024;
constexpr std::size_t kTimeBytes = 8;

void put_big_endian(std::uint64_t value, int bytes, std::string& out) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xffU);
}

std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char byte : bytes) value = value << 8U | static_cast<unsigned char>(byte);
    return value;
}

std::string encode(const Message& message) {
    Publish publish;
    publish.topic = message.topic;
    publish.payload = message.payload;
    publish.qos = message.qos;
    publish.packet_id = message.qos > 0 ? 1 : 0;  // it has to have one
    publish.retain = message.retain;
    set_properties(message, publish.properties);
    publish.properties.message_expiry_interval = message.expiry_interval;
    std::string bytes;
    put_big_endian(static_cast<std::uint64_t>(message.arrived.time_since_epoch().count()), kTimeBytes, bytes);
    encode_publish(publish, ProtocolVersion::v5, bytes);
    return bytes;
}

Result<MessagePtr> decode(std::string_view bytes) {
    const Error damaged(storage::Errc::corrupt, "mqtt sessions: a message that is none");
    if (bytes.size() < kTimeBytes) return damaged;
    auto packet = message_of_packet(bytes.substr(kTimeBytes), ProtocolVersion::v5);
    if (!packet) return damaged;
    packet->message.arrived = storage::Timestamp(
        std::chrono::milliseconds(static_cast<std::int64_t>(big_endian(bytes.substr(0, kTimeBytes)))));
    return std::make_shared<const Message>(std::move(packet->message));
}

std::string encode(const std::vector<std::uint32_t>& identifiers) {
    std::string bytes;
    for (const auto identifier : identifiers) put_big_endian(identifier, 4, bytes);
    return bytes;
}

std::vector<std::uint32_t> decode_identifiers(std::string_view bytes) {
    std::vector<std::uint32_t> identifiers;
    for (; bytes.size() >= 4; bytes.remove_prefix(4)) {
        identifiers.push_back(static_cast<std::uint32_t>(big_endian(bytes.substr(0, 4))));
    }
    return identifiers;
}

std::optional<std::int64_t> milliseconds(const std::optional<storage::Timestamp>& time) {
    return time ? std::optional<std::int64_t>(time->time_since_epoch().count()) : std::nullopt;
}

std::optional<storage::Timestamp> time_of(const Statement& row, int column) {
    if (row.is_null(column)) return std::nullopt;
    return storage::Timestamp(std::chrono::milliseconds(row.integer(column)));
}

SubscriberId id_of(const Statement& row) {
    return static_cast<SubscriberId>(row.integer(0));
}

std::int64_t number(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

class StateReader {
 public:
    explicit StateReader(storage::Database& database) : database_(database) {}

    Result<StoredState> read() {
        auto done = each("SELECT * FROM session ORDER BY id", &StateReader::take_session);
        if (done) done = each("SELECT * FROM subscription", &StateReader::take_subscription);
        if (done) done = each("SELECT * FROM outgoing ORDER BY session, sequence", &StateReader::take_outgoing);
        if (done) done = each("SELECT * FROM incoming", &StateReader::take_incoming);
        if (done) done = each("SELECT message FROM retained", &StateReader::take_retained);
        if (!done) return done.error();
        return std::move(state_);
    }

 private:
    Result<void> each(const char* sql, Result<void> (StateReader::*take)(const Statement&)) {
        auto statement = database_.prepare(sql, "read");
        if (!statement) return statement.error();
        for (;;) {
            const auto row = statement->next();
            if (!row) return row.error();
            if (!*row) return {};
            if (auto done = (this->*take)(*statement); !done) return done;
        }
    }

    Result<void> take_session(const Statement& row) {
        StoredSession session;
        session.id = id_of(row);
        session.client_id = row.text(1);
        if (!row.is_null(2)) session.user = std::string(row.text(2));
        session.expiry_interval = static_cast<std::uint32_t>(row.integer(3));
        session.ends_at = time_of(row, 4);
        if (!row.is_null(5)) {
            auto will = decode(row.blob(5));
            if (!will) return will.error();
            session.will = std::move(*will);
        }
        session.will_delay = static_cast<std::uint32_t>(row.integer(6));
        session.will_at = time_of(row, 7);
        places_.emplace(session.id, state_.sessions.size());
        state_.sessions.push_back({std::move(session)});
        return {};
    }

    Result<void> take_subscription(const Statement& row) {
        auto* entry = entry_of(row);
        if (entry == nullptr) return {};
        auto& options = entry->subscriptions[std::string(row.text(1))];
        options = {static_cast<std::uint8_t>(row.integer(2)), row.integer(3) != 0, row.integer(4) != 0, {}};
        if (!row.is_null(5)) options.identifier = static_cast<std::uint32_t>(row.integer(5));
        return {};
    }

    Result<void> take_outgoing(const Statement& row) {
        auto* entry = entry_of(row);
        if (entry == nullptr) return {};
        StoredOutgoing outgoing;
        outgoing.sequence = static_cast<std::uint64_t>(row.integer(1));
        outgoing.packet_id = static_cast<std::uint16_t>(row.integer(2));
        outgoing.qos = static_cast<std::uint8_t>(row.integer(3));
        outgoing.retain = row.integer(4) != 0;
        outgoing.released = row.integer(5) != 0;
        outgoing.identifiers = decode_identifiers(row.blob(6));
        if (!outgoing.released) {
            auto message = decode(row.blob(7));
            if (!message) return message.error();
            outgoing.message = std::move(*message);
        }
        entry->outgoing.push_back(std::move(outgoing));
        return {};
    }

    Result<void> take_incoming(const Statement& row) {
        if (auto* entry = entry_of(row)) entry->incoming.push_back(static_cast<std::uint16_t>(row.integer(1)));
        return {};
    }

    Result<void> take_retained(const Statement& row) {
        auto message = decode(row.blob(0));
        if (!message) return message.error();
        state_.retained.push_back(std::move(*message));
        return {};
    }

    StoredState::Entry* entry_of(const Statement& row) {
        const auto place = places_.find(id_of(row));
        return place == places_.end() ? nullptr : &state_.sessions[place->second];
    }

    storage::Database& database_;
    StoredState state_;
    std::map<SubscriberId, std::size_t> places_;
};

}  // namespace

struct SessionDatabase::Statements {
    explicit Statements(storage::Database& opened) : database(opened) {}

    Result<void> operator()(const std::monostate& /*taken_back*/) { return {}; }
    Result<void> operator()(const PutSession& change) {
        const auto& session = change.session;
        const auto will = session.will ? std::optional(encode(*session.will)) : std::nullopt;
        return run("INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [&](Statement& statement) {
            statement.bind(number(session.id)).bind(session.client_id).bind_optional(session.user);
            statement.bind(session.expiry_interval).bind_optional(milliseconds(session.ends_at));
            will ? statement.bind_blob(*will) : statement.bind_null();
            statement.bind(session.will_delay).bind_optional(milliseconds(session.will_at));
        });
    }
    Result<void> operator()(const RemoveSession& change) {
        for (const auto* sql : {"DELETE FROM session WHERE id = ?", "DELETE FROM subscription WHERE session = ?",
                                "DELETE FROM outgoing WHERE session = ?", "DELETE FROM incoming WHERE session = ?"}) {
            auto done = run(sql, [&](Statement& statement) { statement.bind(number(change.session)); });
            if (!done) return done;
        }
        return {};
    }
    Result<void> operator()(const PutSubscription& change) {
        return run("INSERT OR REPLACE INTO subscription VALUES (?, ?, ?, ?, ?, ?)", [&](Statement& statement) {
            const auto& options = change.options;
            statement.bind(number(change.session)).bind(change.filter).bind(options.qos);
            statement.bind(options.no_local).bind(options.retain_as_published).bind_optional(options.identifier);
        });
    }
    Result<void> operator()(const RemoveSubscription& change) {
        return run("DELETE FROM subscription WHERE session = ? AND filter = ?",
                   [&](Statement& statement) { statement.bind(number(change.session)).bind(change.filter); });
    }
    Result<void> operator()(const PutOutgoing& change) {
        const auto& outgoing = change.outgoing;
        const auto identifiers = encode(outgoing.identifiers);
        const auto message = encode(*outgoing.message);
        return run("INSERT INTO outgoing VALUES (?, ?, ?, ?, ?, 0, ?, ?)", [&](Statement& statement) {
            statement.bind(number(change.session)).bind(number(outgoing.sequence)).bind(outgoing.packet_id);
            statement.bind(outgoing.qos).bind(outgoing.retain).bind_blob(identifiers).bind_blob(message);
        });
    }
    Result<void> operator()(const ReleaseOutgoing& change) {
        return run("UPDATE outgoing SET released = 1, message = NULL WHERE session = ? AND sequence = ?",
                   [&](Statement& statement) { statement.bind(number(change.session)).bind(number(change.sequence)); });
    }
    Result<void> operator()(const RemoveOutgoing& change) {
        return run("DELETE FROM outgoing WHERE session = ? AND sequence = ?",
                   [&](Statement& statement) { statement.bind(number(change.session)).bind(number(change.sequence)); });
    }
    Result<void> operator()(const PutIncoming& change) {
        return run("INSERT OR REPLACE INTO incoming VALUES (?, ?)",
                   [&](Statement& statement) { statement.bind(number(change.session)).bind(change.packet_id); });
    }
    Result<void> operator()(const RemoveIncoming& change) {
        return run("DELETE FROM incoming WHERE session = ? AND packet_id = ?",
                   [&](Statement& statement) { statement.bind(number(change.session)).bind(change.packet_id); });
    }
    Result<void> operator()(const PutRetained& change) {
        const auto& topic = change.message->topic;
        if (change.message->payload.empty()) {
            return run("DELETE FROM retained WHERE topic = ?", [&](Statement& statement) { statement.bind(topic); });
        }
        const auto message = encode(*change.message);
        return run("INSERT OR REPLACE INTO retained VALUES (?, ?)",
                   [&](Statement& statement) { statement.bind(topic).bind_blob(message); });
    }

 private:
    /// @param sql  a literal: its address names the prepared statement
    template <class Bind>
    Result<void> run(const char* sql, Bind bind) {
        auto found = prepared.find(sql);
        if (found == prepared.end()) {
            auto statement = database.prepare(sql, "write");
            if (!statement) return statement.error();
            found = prepared.emplace(sql, std::move(*statement)).first;
        }
        bind(found->second);
        return found->second.run();
    }

    storage::Database& database;
    std::map<const char*, Statement> prepared;
};

SessionDatabase::SessionDatabase(storage::Database database) : database_(std::move(database)) {}
SessionDatabase::~SessionDatabase() = default;
// What is prepared knows where the database is: moved before the first write.
SessionDatabase::SessionDatabase(SessionDatabase&&) noexcept = default;

Result<SessionDatabase> SessionDatabase::open(const std::string& path) {
    storage::DatabaseOptions options;
    options.what = "mqtt sessions";
    options.loss = "clients subscribe again, and what waited for them and what was retained is lost";
    options.migrations = kMigrations;
    options.checkpoint_pages = kCheckpointPages;
    auto database = storage::Database::open(path, options);
    if (!database) return database.error();
    return SessionDatabase(std::move(*database));
}

Result<void> SessionDatabase::write(const std::vector<SessionChange>& changes) {
    const bool nothing = std::all_of(changes.begin(), changes.end(),
                                     [](const auto& change) { return std::holds_alternative<std::monostate>(change); });
    if (nothing) return {};
    if (!statements_) statements_ = std::make_unique<Statements>(database_);
    return database_.in_transaction([&]() -> Result<void> {
        for (const auto& change : changes) {
            if (auto done = std::visit(*statements_, change); !done) return done;
        }
        return {};
    });
}

Result<StoredState> SessionDatabase::read() {
    return StateReader(database_).read();
}

}  // namespace sluice::bridge::mqtt
