// config_tls.hpp: opens certificates and keys while a person is looking, not at the first connection in the field.
//
// The MQTT client reads the files again when it connects; here they are only checked.
#pragma once

#include <optional>
#include <string>

namespace sluice::agent {

/// What is wrong with a PEM file of one certificate or more, or nullopt.
[[nodiscard]] std::optional<std::string> fault_of_certificates(const std::string& path);
/// What is wrong with a PEM file of a private key, or nullopt. An encrypted one is a fault: nobody is there to ask.
[[nodiscard]] std::optional<std::string> fault_of_private_key(const std::string& path);
/// Whether the key is that of the first certificate. Both files are good.
[[nodiscard]] bool key_fits_certificate(const std::string& key_path, const std::string& certificate_path);
/// Whether the time of the first certificate is over, by this machine's clock. The file is good.
[[nodiscard]] bool certificate_is_expired(const std::string& path);

}  // namespace sluice::agent
