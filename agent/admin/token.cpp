#include "agent/admin/token.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <array>

namespace sluice::agent::admin {

namespace {

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Digest digest_of(std::string_view text) {
    Digest digest{};
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    return digest;
}

bool is_bearer(std::string_view scheme) {
    constexpr std::string_view kScheme = "bearer ";
    if (scheme.size() != kScheme.size()) return false;
    for (std::size_t i = 0; i < scheme.size(); ++i) {
        const char c = scheme[i];
        if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != kScheme[i]) return false;
    }
    return true;
}

}  // namespace

bool same_secret(std::string_view guess, std::string_view secret) {
    // Digests are of one length, and nobody who doesn't know the secret can steer where two of them begin to differ.
    const auto a = digest_of(guess);
    const auto b = digest_of(secret);
    return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool bears_token(std::string_view authorization, std::string_view token) {
    constexpr std::size_t kSchemeLength = 7;
    if (authorization.size() <= kSchemeLength || !is_bearer(authorization.substr(0, kSchemeLength))) return false;
    authorization.remove_prefix(kSchemeLength);
    while (authorization.starts_with(' ')) authorization.remove_prefix(1);
    while (authorization.ends_with(' ')) authorization.remove_suffix(1);
    return same_secret(authorization, token);
}

}  // namespace sluice::agent::admin
