// client.hpp: asks a running agent over its Unix socket.
#pragma once

#include "storage/result.hpp"

#include <string>

namespace sluice::agent::admin {

inline constexpr unsigned kHttpOk = 200;

struct Reply {
    unsigned status = 0;
    std::string body;
};

/// One request. Waits a few seconds at most.
/// @param method  "GET" or "POST"
/// @return Errc::not_found: no agent runs on this directory. Errc::rejected: we may not open its socket. Errc::io
[[nodiscard]] storage::Result<Reply> ask(const std::string& data_dir, const std::string& method,
                                         const std::string& path);

}  // namespace sluice::agent::admin
