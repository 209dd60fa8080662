// tls_context.hpp: the server's side of TLS 1.2 and 1.3, and who the client is.
#pragma once

#include "bridge/mqtt/transport.hpp"
#include "storage/result.hpp"

#include <cstdint>
#include <optional>
#include <string>

struct ssl_st;

namespace sluice::bridge::mqtt {

struct ServerTlsOptions {
    std::optional<std::string> cert_file{};  ///< PEM, the server's certificate and its chain
    std::optional<std::string> key_file{};   ///< PEM
    std::optional<std::string> ca_file{};    ///< PEM, who may have signed clients' certificates; nullopt: none is asked
    bool client_certificate = true;          ///< with ca_file: a client without one is not let in
    bool only_1_3 = false;
};

/// Reads the files. @return an error that names the file
[[nodiscard]] storage::Result<TlsContext> make_tls_context(const ServerTlsOptions& options);

/// The common name of the client's certificate, which was verified; nullopt where it has shown none.
[[nodiscard]] std::optional<std::string> certificate_subject(const ssl_st* connection);

}  // namespace sluice::bridge::mqtt
