// http_message.hpp: a request and its answer without sockets, so that what is answered can be tested alone.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sluice::agent::admin {

enum class Method : std::uint8_t { get, head, post, other };

struct Request {
    Method method = Method::get;
    std::string path;               ///< as it came, without the query: only what is exactly a known path is one
    std::string query;              ///< what stands behind '?', as it came
    std::string host;               ///< empty: none, or more than one
    std::string accept;             ///< likewise
    std::string authorization;      ///< likewise
    bool over_unix = false;         ///< through the Unix socket, which only the agent's user and root can open
    std::string accept_encoding{};  ///< as `host`
    std::string if_none_match{};    ///< likewise
};

struct Response {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers{};  ///< besides those that every answer has
    bool follows = false;  ///< no body: the connection gets the router's events from now on
};

/// {"error": …}. @param what  never something that the client has sent
[[nodiscard]] Response make_error(unsigned status, const std::string& what);

}  // namespace sluice::agent::admin
