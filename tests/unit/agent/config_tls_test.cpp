#include "agent/config_tls.hpp"

#include "tests/unit/agent/support.hpp"

#include <doctest/doctest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <functional>
#include <memory>

using namespace sluice::agent;
using namespace sluice::test;

namespace {

using Key = std::shared_ptr<EVP_PKEY>;

Key make_key() {
    return {EVP_EC_gen("P-256"), EVP_PKEY_free};
}

std::string text_of(const std::function<int(BIO*)>& write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
    REQUIRE(write(bio.get()) == 1);
    char* data = nullptr;
    const auto size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string key_text(const Key& key, const char* pass_phrase = nullptr) {
    return text_of([&](BIO* bio) {
        const auto* cipher = pass_phrase == nullptr ? nullptr : EVP_aes_128_cbc();
        return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), cipher, pass_phrase,
                                             pass_phrase == nullptr ? 0 : static_cast<int>(strlen(pass_phrase)),
                                             nullptr, nullptr);
    });
}

/// Self-signed; `expires_in` seconds from now.
std::string certificate_text(const Key& key, long expires_in) {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), expires_in);
    X509_set_pubkey(certificate.get(), key.get());
    REQUIRE(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
    return text_of([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); });
}

struct Files {
    ConfigDir dir;
    Key key = make_key();
    std::string certificate = dir.write("cert.pem", certificate_text(key, 86400));
    std::string key_file = dir.write("key.pem", key_text(key));

    [[nodiscard]] std::string fault(const std::string& tls) const {
        return faults(dir, load_config(dir.write("s.toml",
                                                 "[[source.mqtt]]\nurl = \"mqtts://b\"\ntopics = [\"a/#\"]\n"
                                                 "[source.mqtt.tls]\n" +
                                                     tls + "[[route]]\ntopic = \"a/b\"\nstream = \"t\"\n"),
                                       {}));
    }
};

}  // namespace

TEST_CASE("tls: certificates and keys that fit have no fault") {
    const Files files;
    files.dir.write("chain.pem", certificate_text(files.key, 86400) + certificate_text(files.key, 86400));
    CHECK(files.fault("ca_file = \"chain.pem\"\ncert_file = \"chain.pem\"\nkey_file = \"key.pem\"\n") == "");
}

TEST_CASE("tls: a file that is missing, or not what it should be, is an error at its line") {
    const Files files;
    files.dir.write("text", "no PEM\n");
    files.dir.write("damaged.pem", certificate_text(files.key, 86400) +
                                       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    files.dir.write("encrypted.pem", key_text(files.key, "pass phrase"));
    const std::string pair = "cert_file = \"cert.pem\"\nkey_file = ";
    CHECK(files.fault("ca_file = \"none.pem\"\n") ==
          "s.toml:5:11: source.mqtt.tls.ca_file: cannot read none.pem: No such file or directory\n");
    CHECK(files.fault("ca_file = \"text\"\n") ==
          "s.toml:5:11: source.mqtt.tls.ca_file: text holds no certificate in PEM form\n");
    CHECK(files.fault("ca_file = \"key.pem\"\n") ==
          "s.toml:5:11: source.mqtt.tls.ca_file: key.pem holds no certificate in PEM form\n");
    CHECK(files.fault("ca_file = \"damaged.pem\"\n") ==
          "s.toml:5:11: source.mqtt.tls.ca_file: damaged.pem: certificate 2 is damaged\n");
    CHECK(files.fault(pair + "\"cert.pem\"\n") ==
          "s.toml:6:12: source.mqtt.tls.key_file: cert.pem holds no private key in PEM form\n");
    CHECK(files.fault(pair + "\"encrypted.pem\"\n") ==
          "s.toml:6:12: source.mqtt.tls.key_file: encrypted.pem is encrypted with a pass phrase\n");
}

TEST_CASE("tls: key and certificate go together and belong together") {
    const Files files;
    files.dir.write("other.pem", key_text(make_key()));
    CHECK(files.fault("cert_file = \"cert.pem\"\n") ==
          "s.toml:5:13: source.mqtt.tls.cert_file: cert_file and key_file go together\n");
    CHECK(files.fault("key_file = \"key.pem\"\n") ==
          "s.toml:5:12: source.mqtt.tls.key_file: cert_file and key_file go together\n");
    CHECK(files.fault("cert_file = \"cert.pem\"\nkey_file = \"other.pem\"\n") ==
          "s.toml:6:12: source.mqtt.tls.key_file: is not the key of the certificate in cert.pem\n");
}

TEST_CASE("tls: an expired certificate and a broker that nobody verifies are warnings") {
    const Files files;
    files.dir.write("old.pem", certificate_text(files.key, -3600));
    CHECK(files.fault("cert_file = \"old.pem\"\nkey_file = \"key.pem\"\n") ==
          "s.toml:5:13: warning: source.mqtt.tls.cert_file: the certificate has expired, by this machine's "
          "clock\n");
    CHECK(files.fault("verify = false\n") ==
          "s.toml:5:10: warning: source.mqtt.tls.verify: any broker is trusted (for a test bench only)\n");
}
