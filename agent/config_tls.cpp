#include "agent/config_tls.hpp"

#include "agent/config_text_file.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string_view>

namespace sluice::agent {

namespace {

constexpr std::size_t kPemBytesMax = 4U << 20U;  // the trust store of a whole system is about 250 KB

template <auto destroy>
struct Destroy {
    template <class T>
    void operator()(T* object) const {
        destroy(object);
    }
};
using Bio = std::unique_ptr<BIO, Destroy<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Destroy<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Destroy<EVP_PKEY_free>>;

Bio over(const std::string& text) {
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// OpenSSL asks for a pass phrase on the terminal unless it is given another way; -1: there is none.
int no_pass_phrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
}

Certificate next_certificate(BIO* bio) {
    return Certificate(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
}

Key private_key(const std::string& text, bool& encrypted) {
    const auto bio = over(text);
    return Key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, &encrypted));
}

bool at_end(unsigned long error) {
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

Certificate first_certificate(const std::string& path) {
    const auto text = read_text_file(path, kPemBytesMax);
    if (!text) return nullptr;
    return next_certificate(over(*text).get());
}

}  // namespace

std::optional<std::string> fault_of_certificates(const std::string& path) {
    const auto text = read_text_file(path, kPemBytesMax);
    if (!text) return text.error().message();
    const auto bio = over(*text);
    ERR_clear_error();
    int count = 0;
    while (next_certificate(bio.get())) ++count;
    const auto error = ERR_peek_last_error();
    ERR_clear_error();
    if (!at_end(error)) return path + ": certificate " + std::to_string(count + 1) + " is damaged";
    if (count == 0) return path + " holds no certificate in PEM form";
    return std::nullopt;
}

std::optional<std::string> fault_of_private_key(const std::string& path) {
    const auto text = read_text_file(path, kPemBytesMax);
    if (!text) return text.error().message();
    bool encrypted = false;
    const auto key = private_key(*text, encrypted);
    ERR_clear_error();
    if (encrypted) return path + " is encrypted with a pass phrase";
    if (!key) return path + " holds no private key in PEM form";
    return std::nullopt;
}

bool key_fits_certificate(const std::string& key_path, const std::string& certificate_path) {
    const auto text = read_text_file(key_path, kPemBytesMax);
    bool encrypted = false;
    const auto key = text ? private_key(*text, encrypted) : nullptr;
    const auto certificate = first_certificate(certificate_path);
    const bool fits = key && certificate && X509_check_private_key(certificate.get(), key.get()) == 1;
    ERR_clear_error();
    return fits;
}

bool certificate_is_expired(const std::string& path) {
    const auto certificate = first_certificate(path);
    ERR_clear_error();
    return certificate && X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0;
}

}  // namespace sluice::agent
