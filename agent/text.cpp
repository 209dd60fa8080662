#include "agent/text.hpp"

#include <array>
#include <cstdint>
#include <cstdio>

namespace sluice::agent {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n')
            result += "\\n";
        else if (c == '\t')
            result += "\\t";
        else if (byte < 0x20 || byte == 0x7f)
            result.append({'\\', 'x', kHexDigits[byte >> 4U], kHexDigits[byte & 0xfU]});
        else
            result += c;
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
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const auto group = (byte_at(bytes, at) << 16U) | (byte_at(bytes, at + 1) << 8U) | byte_at(bytes, at + 2);
        const auto rest = bytes.size() - at;
        text += kBase64Digits[(group >> 18U) & 63U];
        text += kBase64Digits[(group >> 12U) & 63U];
        text += rest > 1 ? kBase64Digits[(group >> 6U) & 63U] : '=';
        text += rest > 2 ? kBase64Digits[group & 63U] : '=';
    }
    return text;
}

}  // namespace sluice::agent
