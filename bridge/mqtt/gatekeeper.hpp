// gatekeeper.hpp: what a server asks before it lets a client do something.
#pragma once

#include "bridge/mqtt/access.hpp"
#include "bridge/mqtt/protocol.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::bridge::mqtt {

/// All of it on the thread of the server.
class Gatekeeper {
 public:
    /// With the user's name (nullopt: anonymous), or why not.
    struct Verdict {
        ReasonCode reason = ReasonCode::success;
        std::optional<std::string> user{};
        bool by_password = false;
    };
    virtual ~Gatekeeper() = default;
    /// Calls `done` on the server's thread, at once or later: hashing a password takes its time.
    virtual void authenticate(Credentials credentials, std::function<void(Verdict)> done) = 0;
    /// Whether a client that came in with a password still could, as far as that can be told without it.
    [[nodiscard]] virtual bool has_user(const std::string& user) const = 0;
    [[nodiscard]] virtual bool may_publish(const Identity& identity, std::string_view topic) const = 0;
    [[nodiscard]] virtual bool may_subscribe(const Identity& identity, std::string_view filter) const = 0;
    /// Asked for each message that a subscription of the client matches.
    [[nodiscard]] virtual bool may_read(const Identity& identity, std::string_view topic) const = 0;
};

}  // namespace sluice::bridge::mqtt
