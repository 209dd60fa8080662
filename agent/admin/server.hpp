// server.hpp: HTTP for those who look into the agent: `admin.bind`, and the Unix socket DATA_DIR/sluice.sock.
//
// On a thread of its own, `admin`: an answer may take some milliseconds, which the `net` thread doesn't have. What
// reads the log takes longer: that is done on the thread `query`, one after the other, with a low priority. Nothing
// here can stop the agent's work: an address that is taken is said, and tried again. The Unix socket is for the agent's
// user and root alone (0600), and has places of its own among the connections, so that `sluice status` works whatever
// happens on the network.
#pragma once

#include "agent/admin/options.hpp"
#include "agent/admin/router.hpp"
#include "bridge/report.hpp"
#include "storage/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace sluice::agent::admin {

inline constexpr std::size_t kTcpConnectionsMax = 32;
inline constexpr std::size_t kUnixConnectionsMax = 16;
inline constexpr std::size_t kQueriesMax = 8;          ///< of the log, at a time or waiting
inline constexpr unsigned kRequestsPerSecondMax = 50;  ///< over TCP; twice as many at once

/// DATA_DIR/sluice.sock
[[nodiscard]] std::string socket_path(const std::string& data_dir);

class Server {
 public:
    /// @param data_dir  locked by us: a socket that is there was left by an agent that was killed
    /// @return an error only for a certificate or key that can't be read
    [[nodiscard]] static storage::Result<std::unique_ptr<Server>> start(AdminOptions options,
                                                                        const std::string& data_dir, Router router,
                                                                        bridge::Report report);
    ~Server();  ///< as stop()
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Reads certificate and key again. @return what brings them into force for new connections; call it before stop()
    [[nodiscard]] storage::Result<std::function<void()>> prepare_reload();
    /// Ends the thread; no handler of the router runs after it.
    void stop();
    /// The TCP port, for tests that bind to port 0; 0: none.
    [[nodiscard]] std::uint16_t port() const;

 private:
    class Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::agent::admin
