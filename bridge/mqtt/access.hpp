// access.hpp: who may connect to the agent's own MQTT listener, and do what there.
//
// A snapshot of the password file and the ACL file that nobody changes: sessions share it, in any number of threads.
// When the files change, a new one takes its place, whole, and sessions that ask the new one see the change at their
// next message. A file that can't be loaded makes none, so that the one before stays in force. Files and rules:
// docs/access.md.
#pragma once

#include "bridge/mqtt/acl.hpp"
#include "bridge/mqtt/password_file.hpp"
#include "storage/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::bridge::mqtt {

struct AccessOptions {
    std::optional<bool> anonymous{};             ///< clients without a user may connect; nullopt: from this machine
    std::optional<std::string> password_file{};  ///< nullopt: there are no users
    std::optional<std::string> acl_file{};       ///< nullopt: who may connect may do all
};

/// What a client shows at CONNECT.
struct Credentials {
    std::optional<std::string> user{};
    std::optional<std::string> password{};
    std::optional<std::string> certificate_subject{};  ///< common name of a client certificate that was verified
    bool loopback = false;                             ///< it comes from this machine
};

/// What becomes of a client that wants to connect.
enum class Login : std::uint8_t {
    accepted,           ///< as the user that it says
    certified,          ///< as the user that its certificate says, whatever else it says
    anonymous,          ///< as nobody
    anonymous_refused,  ///< MQTT 5: not authorized (0x87)
    no_password,        ///< MQTT 5: bad user name or password (0x86)
    no_user,            ///< a password without a user name; likewise
    unknown_or_wrong,   ///< the user or the password; likewise
};

/// For a log line: "unknown user or wrong password". Not for the client, whom it would help to guess.
[[nodiscard]] const char* to_string(Login login);

class Access {
 public:
    /// Reads the files.
    /// @return Errc::invalid: "FILE:LINE: what is wrong", or a file that is too large; else what kept a file from being
    /// read
    [[nodiscard]] static storage::Result<std::shared_ptr<const Access>> load(const AccessOptions& options);

    /// Whether a client may connect with what it shows. Where there is no password file, nobody can prove a name, and
    /// names count for nothing.
    /// May take 50 ms, and 16 MiB (password_hash.hpp), if takes_time(): not for a thread that others wait for then.
    [[nodiscard]] Login authenticate(const Credentials& credentials) const;
    [[nodiscard]] bool takes_time(const Credentials& credentials) const;
    /// Whether somebody who has connected as this user with a password could still do so.
    [[nodiscard]] bool has_user(const std::string& user) const;

    /// As acl.hpp has them; without an ACL file, everything is allowed.
    [[nodiscard]] bool may_publish(const Identity& identity, std::string_view topic) const;
    [[nodiscard]] bool may_subscribe(const Identity& identity, std::string_view filter) const;
    [[nodiscard]] bool may_read(const Identity& identity, std::string_view topic) const;

 private:
    Access() = default;

    std::optional<bool> anonymous_;
    bool has_users_ = false;
    PasswordFile passwords_;
    std::optional<Acl> acl_;
};

}  // namespace sluice::bridge::mqtt
