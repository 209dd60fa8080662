// password_hash.hpp: a password as it is kept: scrypt, in the PHC string format.
//
//   $scrypt$ln=14,r=8,p=1$SALT$HASH      2^ln rounds, base64 without padding
//
// Why scrypt: it costs memory as well as time, so that whoever has stolen the file can't try many passwords at once on
// a graphics card; and OpenSSL has it. What is made here costs 16 MiB and some 50 ms for each check, more on a small
// ARM. Sources: RFC 7914; the PHC string format.
#pragma once

#include "storage/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::bridge::mqtt {

/// scrypt's parameters. It takes 128 · 2^ln · r bytes, and time in proportion to 2^ln · r · p.
struct ScryptCost {
    std::uint32_t ln = 14;
    std::uint32_t r = 8;
    std::uint32_t p = 1;
};

/// 128 · 2^ln · r · p may be so many: a bound of memory and of time, which all that OWASP recommends keeps. A file that
/// asks for more would let every client that connects stop the gateway.
inline constexpr std::uint64_t kScryptBytesMax = 128ULL << 20U;

class PasswordHash {
 public:
    /// Hashes a password with a new random salt.
    /// @param password  1 to 65,535 bytes of any kind, as in MQTT
    /// @return Errc::invalid for one that is none; Errc::rejected where OpenSSL has no memory or no random numbers
    [[nodiscard]] static storage::Result<PasswordHash> of(std::string_view password);
    /// @return Errc::invalid, with what is wrong: never with a part of the text, which may be a password by mistake
    [[nodiscard]] static storage::Result<PasswordHash> parse(std::string_view phc);

    /// Whether this is the password. Takes the time and the memory of a hash, whether it is or not; false where there
    /// is no memory. Any thread.
    [[nodiscard]] bool matches(std::string_view password) const;
    [[nodiscard]] std::string text() const;

 private:
    PasswordHash() = default;

    ScryptCost cost_;
    std::string salt_;
    std::string hash_;
};

}  // namespace sluice::bridge::mqtt
