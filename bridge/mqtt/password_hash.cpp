#include "bridge/mqtt/password_hash.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <charconv>
#include <cstddef>
#include <optional>

namespace sluice::bridge::mqtt {

using storage::Errc;
using storage::Error;
using storage::Result;

namespace {

constexpr std::string_view kPrefix = "$scrypt$";
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kSaltBytesMin = 8;
constexpr std::size_t kHashBytesMin = 16;
constexpr std::size_t kBytesMax = 64;  // of either
constexpr std::size_t kPasswordBytesMax = 65'535;

unsigned char* bytes_of(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}
const unsigned char* bytes_of(const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string encode_base64(const std::string& bytes) {
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL ends it with a null
    const int size = EVP_EncodeBlock(bytes_of(text), bytes_of(bytes), static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    while (text.ends_with('=')) text.pop_back();
    return text;
}

/// @return nullopt for what encode_base64() would not have written: OpenSSL takes blanks, and bits that nobody reads
std::optional<std::string> decode_base64(std::string_view text) {
    if (text.size() > kBytesMax * 2) return std::nullopt;
    std::string padded(text);
    while (padded.size() % 4 != 0) padded += '=';
    std::string bytes(padded.size() / 4 * 3, '\0');
    if (EVP_DecodeBlock(bytes_of(bytes), bytes_of(padded), static_cast<int>(padded.size())) < 0) return std::nullopt;
    bytes.resize(text.size() * 3 / 4);
    if (encode_base64(bytes) != text) return std::nullopt;
    return bytes;
}

bool derive(std::string_view password, const std::string& salt, const ScryptCost& cost, std::string& hash) {
    constexpr std::uint64_t kMemoryMax = 2 * kScryptBytesMax;  // OpenSSL counts some buffers more
    return EVP_PBE_scrypt(password.data(), password.size(), bytes_of(salt), salt.size(), std::uint64_t{1} << cost.ln,
                          cost.r, cost.p, kMemoryMax, bytes_of(hash), hash.size()) == 1;
}

/// Takes the text up to `end` off the front; nullopt where there is none.
std::optional<std::string_view> take_until(std::string_view& rest, char end) {
    const auto at = rest.find(end);
    if (at == std::string_view::npos) return std::nullopt;
    const auto part = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    return part;
}

/// "ln=14" for the name "ln".
bool parse_parameter(std::optional<std::string_view> text, std::string_view name, std::uint32_t& value) {
    if (!text || !text->starts_with(name) || !text->substr(name.size()).starts_with('=')) return false;
    const auto digits = text->substr(name.size() + 1);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size();
}

/// "ln=14,r=8,p=1"
std::optional<ScryptCost> parse_cost(std::string_view text) {
    ScryptCost cost;
    const auto ln = take_until(text, ',');
    const auto r = take_until(text, ',');
    if (!parse_parameter(ln, "ln", cost.ln) || !parse_parameter(r, "r", cost.r)) return std::nullopt;
    if (!parse_parameter(text, "p", cost.p)) return std::nullopt;
    return cost;
}

/// @return what is wrong; nullptr: nothing
const char* fault_of(const ScryptCost& cost) {
    constexpr std::uint32_t kLnMax = 20;
    constexpr std::uint32_t kOthersMax = 1024;  // so that the product below can't overflow
    if (cost.ln < 1 || cost.r < 1 || cost.p < 1) return "scrypt's ln, r and p are at least 1";
    if (cost.ln >= 16 * cost.r) return "scrypt's ln has to be below 16 times r";  // RFC 7914 section 2
    if (cost.ln > kLnMax || cost.r > kOthersMax || cost.p > kOthersMax ||
        (std::uint64_t{128} << cost.ln) * cost.r * cost.p > kScryptBytesMax) {
        return "scrypt's parameters cost too much (128 * 2^ln * r * p is at most 128 MiB, ln at most 20)";
    }
    return nullptr;
}

Error invalid(const char* what) {
    return {Errc::invalid, what};
}

}  // namespace

Result<PasswordHash> PasswordHash::of(std::string_view password) {
    if (password.empty()) return invalid("a password is not empty");
    if (password.size() > kPasswordBytesMax) return invalid("a password has at most 65535 bytes");
    PasswordHash made;
    made.salt_.resize(kSaltBytes);
    made.hash_.resize(kHashBytes);
    if (RAND_bytes(bytes_of(made.salt_), static_cast<int>(made.salt_.size())) != 1) {
        return Error(Errc::rejected, "OpenSSL has no random numbers");
    }
    if (!derive(password, made.salt_, made.cost_, made.hash_)) {
        return Error(Errc::rejected, "OpenSSL could not compute scrypt (16 MiB of memory are needed)");
    }
    return made;
}

Result<PasswordHash> PasswordHash::parse(std::string_view phc) {
    if (phc.starts_with("$6$") || phc.starts_with("$7$")) {
        return invalid("a hash of mosquitto_passwd, which is not known here (set the password with sluice passwd)");
    }
    if (!phc.starts_with(kPrefix)) return invalid("no $scrypt$ hash (set the password with sluice passwd)");
    phc.remove_prefix(kPrefix.size());
    const auto parameters = take_until(phc, '$');
    const auto salt_text = take_until(phc, '$');
    if (!parameters || !salt_text) return invalid("a hash is $scrypt$ln=N,r=N,p=N$SALT$HASH");
    const auto cost = parse_cost(*parameters);
    if (!cost) return invalid("scrypt's parameters are written ln=N,r=N,p=N");
    if (const auto* fault = fault_of(*cost)) return invalid(fault);
    auto salt = decode_base64(*salt_text);
    if (!salt || salt->size() < kSaltBytesMin || salt->size() > kBytesMax) {
        return invalid("the salt is not 8 to 64 bytes of base64 without padding");
    }
    auto hash = decode_base64(phc);
    if (!hash || hash->size() < kHashBytesMin || hash->size() > kBytesMax) {
        return invalid("the hash is not 16 to 64 bytes of base64 without padding");
    }
    PasswordHash parsed;
    parsed.cost_ = *cost;
    parsed.salt_ = std::move(*salt);
    parsed.hash_ = std::move(*hash);
    return parsed;
}

bool PasswordHash::matches(std::string_view password) const {
    std::string derived(hash_.size(), '\0');
    if (!derive(password, salt_, cost_, derived)) return false;
    return CRYPTO_memcmp(derived.data(), hash_.data(), hash_.size()) == 0;
}

std::string PasswordHash::text() const {
    return std::string(kPrefix) + "ln=" + std::to_string(cost_.ln) + ",r=" + std::to_string(cost_.r) +
           ",p=" + std::to_string(cost_.p) + "$" + encode_base64(salt_) + "$" + encode_base64(hash_);
}

}  // namespace sluice::bridge::mqtt
