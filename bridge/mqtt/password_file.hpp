// password_file.hpp: the users of the agent's own MQTT listener and their hashed passwords, as a text file.
//
//   # line operators                                            a comment: "#" is the first character
//   NAME:$scrypt$ln=14,r=8,p=1$SALT$HASH                        password_hash.hpp
//
// A name ends at the first ":", and blanks belong to it. Written again, comments, empty lines, the order and the other
// users are what they were. Any number of threads may look into one that nobody changes.
// Format: docs/access.md.
#pragma once

#include "bridge/mqtt/password_hash.hpp"
#include "storage/result.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::bridge::mqtt {

inline constexpr std::size_t kPasswordFileBytesMax = 1U << 20U;

class PasswordFile {
 public:
    /// @param file  its name in errors
    /// @return Errc::invalid: "FILE:LINE: what is wrong"
    [[nodiscard]] static storage::Result<PasswordFile> load(std::string_view text, std::string_view file);

    /// Whether there is such a user with this password. Takes the same work for a user that there isn't, so that nobody
    /// learns names by the time it takes: as long as all hashes have the same parameters, which sluice passwd sees to.
    /// Takes some 50 ms and 16 MiB (password_hash.hpp): not for a thread that others wait for.
    [[nodiscard]] bool verify(std::string_view user, std::string_view password) const;

    [[nodiscard]] bool contains(std::string_view user) const { return users_.contains(user); }
    [[nodiscard]] std::size_t size() const { return users_.size(); }

    /// Adds a user at the end, or gives one a new password.
    /// @return Errc::invalid for a name (user_name.hpp) or a password (password_hash.hpp) that can't be
    [[nodiscard]] storage::Result<void> set(std::string_view user, std::string_view password);
    /// @return whether there was such a user
    bool remove(std::string_view user);
    [[nodiscard]] std::string text() const;

 private:
    struct Line {
        std::string text;
        std::string user;  // empty: a comment, or nothing
    };
    storage::Result<void> load_line(std::string_view text);

    std::vector<Line> lines_;
    std::map<std::string, PasswordHash, std::less<>> users_;
};

}  // namespace sluice::bridge::mqtt
