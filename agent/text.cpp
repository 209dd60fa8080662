#include "agent/text.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>

namespace sluice::agent {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

std::uint32_t byte_at(std::string_view bytes, std::size_t at) {
    return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0U;
}

/// The bytes that the UTF-8 sequence at `at` takes; 0 where there is none.
std::size_t utf8_sequence(std::string_view bytes, std::size_t at) {
    const auto first = byte_at(bytes, at);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || bytes.size() - at < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte_at(bytes, at + i) & 0xc0U) != 0x80U) return 0;
    }
    const auto second = byte_at(bytes, at + 1);
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool surrogate = first == 0xed && second >= 0xa0;
    const bool too_large = first == 0xf4 && second >= 0x90;
    return overlong || surrogate || too_large ? 0 : length;
}

std::uint32_t code_point(std::string_view sequence) {
    if (sequence.size() == 1) return byte_at(sequence, 0);
    std::uint32_t code = byte_at(sequence, 0) & (0xffU >> (sequence.size() + 1));
    for (std::size_t i = 1; i < sequence.size(); ++i) code = (code << 6U) | (byte_at(sequence, i) & 0x3fU);
    return code;
}

/// Beyond ASCII: the other control characters, line separators, and what turns the direction of text.
bool steers(std::uint32_t code) {
    return (code >= 0x80 && code <= 0x9f) || code == 0x61c || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

void put_escaped(std::string& to, std::uint32_t code) {
    to += "\\u";
    for (const auto shift : {12U, 8U, 4U, 0U}) to += kHexDigits[(code >> shift) & 0xfU];
}

void put_escaped_byte(std::string& to, char byte) {
    const auto value = static_cast<unsigned char>(byte);
    to.append({'\\', 'x', kHexDigits[value >> 4U], kHexDigits[value & 0xfU]});
}

}  // namespace

std::string format_time(storage::Timestamp time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    // Compared as days: a year is 16 bits in std::chrono, and a timestamp has 64.
    constexpr std::chrono::sys_days kFirst = std::chrono::year(0) / 1 / 1;
    constexpr std::chrono::sys_days kLast = std::chrono::year(9999) / 12 / 31;
    if (day < kFirst || day > kLast) return std::to_string(time.time_since_epoch().count()) + "ms";
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return text.data();
}

std::string one_line(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const auto length = utf8_sequence(text, at);
        const auto code = length > 0 ? code_point(text.substr(at, length)) : 0U;
        if (text[at] == '\n')
            result += "\\n";
        else if (text[at] == '\t')
            result += "\\t";
        else if (length == 0 || code < 0x20 || code == 0x7f)
            put_escaped_byte(result, text[at]);
        else if (steers(code))
            put_escaped(result, code);
        else
            result += text.substr(at, length);
        at += std::max<std::size_t>(length, 1);
    }
    return result;
}

std::string json_for_terminal(std::string_view json) {
    std::string result;
    result.reserve(json.size());
    for (std::size_t at = 0; at < json.size();) {
        const auto sequence = json.substr(at, std::max<std::size_t>(utf8_sequence(json, at), 1));
        const auto code = code_point(sequence);
        if (code == 0x7f || steers(code))
            put_escaped(result, code);
        else
            result += sequence;
        at += sequence.size();
    }
    return result;
}

bool is_utf8(std::string_view bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
        const auto length = utf8_sequence(bytes, at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

std::string base64(std::string_view bytes) {
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL ends it with a zero
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                    static_cast<int>(bytes.size()));
    text.pop_back();
    return text;
}

std::optional<std::string> from_base64(std::string_view text) {
    const auto padding = text.size() - std::min(text.find('='), text.size());
    std::string bytes(text.size() / 4 * 3, '\0');
    if (text.size() % 4 != 0 || padding > 2 || (padding > 0 && !text.ends_with('='))) return std::nullopt;
    const auto decoded =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (decoded != static_cast<int>(bytes.size())) return std::nullopt;
    bytes.resize(bytes.size() - padding);
    return bytes;
}

std::string number_text(double value) {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    return {text.data(), end};
}

std::string shown_bytes(const std::optional<std::string_view>& bytes) {
    if (!bytes) return "null";
    return is_utf8(*bytes) ? one_line(*bytes) : "base64:" + base64(*bytes);
}

}  // namespace sluice::agent
