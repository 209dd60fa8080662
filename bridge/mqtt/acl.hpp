// acl.hpp: who may publish and read what on the agent's own MQTT listener: mosquitto's ACL file.
//
//   topic read plant/public/#             before the first user: for anonymous clients
//   user alice
//   topic readwrite plant/line-1/#        for alice
//   topic deny plant/line-1/secret        deny wins over all, wherever it stands
//   pattern write devices/%u/%c/#         for everybody; %u is the user's name, %c the client id
//
// What no rule allows is denied. Only in patterns, %u and %c are replaced, anywhere in the filter. A pattern applies to
// nobody whose value for it is missing, is empty, or has a "/", "+" or "#", nor where the value would make a filter
// begin with "$": a client can't choose a name that gives it more than one level, or another place. That goes for deny
// too, so deny what has no name in it. Any number of threads may ask. Takes time by the number of rules for the user
// and of patterns. Format, and the differences to mosquitto: docs/access.md.
#pragma once

#include "storage/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::bridge::mqtt {

inline constexpr std::size_t kAclFileBytesMax = 1U << 20U;

/// Who a client is, once it was let in.
struct Identity {
    std::optional<std::string> user{};  ///< nullopt: anonymous
    std::string client_id{};
};

class Acl {
 public:
    /// @param file  its name in errors
    /// @return Errc::invalid: "FILE:LINE: what is wrong"
    [[nodiscard]] static storage::Result<Acl> load(std::string_view text, std::string_view file);

    /// @param topic  a valid topic name
    [[nodiscard]] bool may_publish(const Identity& identity, std::string_view topic) const;

    /// Whether one rule allows to read all that the filter takes in, and no deny rule takes in all of it. Where a deny
    /// rule takes in a part, the subscription stands, and may_read() keeps the messages of that part back.
    /// @param filter  a valid topic filter; "$share/GROUP/FILTER" is judged by FILTER
    [[nodiscard]] bool may_subscribe(const Identity& identity, std::string_view filter) const;

    /// Whether a message may be delivered: asked for each one, as a subscription may take in what is denied.
    /// @param topic  a valid topic name
    [[nodiscard]] bool may_read(const Identity& identity, std::string_view topic) const;

 private:
    enum class Right : std::uint8_t { deny, read, write, readwrite };
    struct Rule {
        Right right;
        std::string filter;
    };
    using Rules = std::vector<Rule>;
    class Parser;

    [[nodiscard]] bool allows(const Identity& identity, std::string_view filter, Right wanted) const;
    [[nodiscard]] const Rules* rules_of(const Identity& identity) const;

    Rules anonymous_;
    std::map<std::string, Rules, std::less<>> users_;
    Rules patterns_;
};

}  // namespace sluice::bridge::mqtt
