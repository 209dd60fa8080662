#include "agent/config_read.hpp"
#include "agent/config_tls.hpp"

namespace sluice::agent {

void check_tls_files(ConfigSection& section, const std::optional<std::string>& ca_file,
                     const std::optional<std::string>& cert_file, const std::optional<std::string>& key_file) {
    const auto good = [&](std::string_view key, const std::optional<std::string>& path, auto fault_of) {
        if (!path) return false;
        const auto fault = fault_of(*path);
        if (fault) section.error(key, *fault);
        return !fault;
    };
    good("ca_file", ca_file, fault_of_certificates);
    const bool good_certificate = good("cert_file", cert_file, fault_of_certificates);
    const bool good_key = good("key_file", key_file, fault_of_private_key);
    if (section.has("cert_file") != section.has("key_file")) {
        section.error(section.has("cert_file") ? "cert_file" : "key_file", "cert_file and key_file go together");
    }
    if (good_certificate && good_key && !key_fits_certificate(*key_file, *cert_file)) {
        section.error("key_file", "is not the key of the certificate in " + *cert_file);
    }
    if (good_certificate && certificate_is_expired(*cert_file)) {
        section.warning("cert_file", "the certificate has expired, by this machine's clock");
    }
}

}  // namespace sluice::agent
