#include "bridge/payload/timestamp.hpp"

#include <simdjson.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace sluice::bridge {

namespace {

using storage::Errc;
using storage::Error;
using storage::Result;
using storage::Timestamp;

constexpr std::int64_t kMillisMax = 253'402'300'799'999;  // the end of the year 9999

Error invalid(std::string what) {
    return {Errc::invalid, std::move(what)};
}

/// Takes `digits` decimal digits off the front.
bool take_number(std::string_view& text, std::size_t digits, int& value) {
    if (text.size() < digits) return false;
    const auto* end = text.data() + digits;
    const auto parsed = std::from_chars(text.data(), end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end || text.front() == '-') return false;
    text.remove_prefix(digits);
    return true;
}

bool take(std::string_view& text, std::string_view one_of) {
    if (text.empty() || one_of.find(text.front()) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
}

Result<Timestamp> in_range(std::int64_t millis) {
    if (millis < 0 || millis > kMillisMax) return invalid("time is outside of the years 1970 to 9999");
    return Timestamp(std::chrono::milliseconds(millis));
}

TimestampFormat by_magnitude(double value) {
    if (value < 1e11) return TimestampFormat::seconds;       // up to the year 5138
    if (value < 1e14) return TimestampFormat::milliseconds;  // 1973 to 5138
    if (value < 1e17) return TimestampFormat::microseconds;
    return TimestampFormat::nanoseconds;
}

/// How many of the unit make a millisecond, as a factor.
double millis_per_unit(TimestampFormat format) {
    switch (format) {
        case TimestampFormat::seconds:
            return 1e3;
        case TimestampFormat::microseconds:
            return 1e-3;
        case TimestampFormat::nanoseconds:
            return 1e-6;
        default:
            return 1.0;
    }
}

Result<Timestamp> from_integer(std::int64_t value, TimestampFormat format) {
    if (value < 0) return invalid("time is before 1970");
    if (format == TimestampFormat::automatic) format = by_magnitude(static_cast<double>(value));
    switch (format) {
        case TimestampFormat::seconds:
            return value > kMillisMax / 1000 ? in_range(-1) : in_range(value * 1000);
        case TimestampFormat::microseconds:
            return in_range(value / 1000);
        case TimestampFormat::nanoseconds:
            return in_range(value / 1'000'000);
        default:
            return in_range(value);
    }
}

Result<Timestamp> from_decimal(double value, TimestampFormat format) {
    if (!(value >= 0)) return invalid("time is before 1970");
    if (format == TimestampFormat::automatic) format = by_magnitude(value);
    const double millis = std::floor(value * millis_per_unit(format) + 1e-6);  // 0.123 s is not quite 123 ms
    return millis > static_cast<double>(kMillisMax) ? in_range(-1) : in_range(static_cast<std::int64_t>(millis));
}

Result<Timestamp> from_text(std::string_view text, TimestampFormat format) {
    if (format == TimestampFormat::rfc3339) return parse_rfc3339(text);
    const auto* end = text.data() + text.size();
    std::int64_t integer = 0;
    if (const auto parsed = std::from_chars(text.data(), end, integer); parsed.ec == std::errc() && parsed.ptr == end) {
        return from_integer(integer, format);
    }
    double decimal = 0;
    if (const auto parsed = std::from_chars(text.data(), end, decimal); parsed.ec == std::errc() && parsed.ptr == end) {
        return from_decimal(decimal, format);
    }
    if (format == TimestampFormat::automatic) return parse_rfc3339(text);
    return invalid("\"" + std::string(text.substr(0, 40)) + "\" is not a number");
}

}  // namespace

bool is_json_pointer(std::string_view pointer) {
    if (!pointer.empty() && pointer.front() != '/') return false;
    for (std::size_t at = pointer.find('~'); at != std::string_view::npos; at = pointer.find('~', at + 1)) {
        if (at + 1 == pointer.size() || (pointer[at + 1] != '0' && pointer[at + 1] != '1')) return false;
    }
    return true;
}

Result<Timestamp> parse_rfc3339(std::string_view text) {
    const auto whole = std::string(text.substr(0, 40));
    const auto bad = [&] { return invalid("\"" + whole + "\" is not an RFC 3339 time"); };
    int year = 0;
    int month = 0;
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (!take_number(text, 4, year) || !take(text, "-") || !take_number(text, 2, month) || !take(text, "-") ||
        !take_number(text, 2, day) || !take(text, "Tt ") || !take_number(text, 2, hour) || !take(text, ":") ||
        !take_number(text, 2, minute) || !take(text, ":") || !take_number(text, 2, second)) {
        return bad();
    }
    int millis = 0;
    if (take(text, ".")) {
        int digits = 0;
        for (int digit = 0; take_number(text, 1, digit); ++digits) {
            if (digits < 3) millis = millis * 10 + digit;
        }
        if (digits == 0) return bad();
        for (; digits < 3; ++digits) millis *= 10;
    }
    int offset_minutes = 0;
    if (!take(text, "Zz")) {
        const bool west = !text.empty() && text.front() == '-';
        int offset_hour = 0;
        int offset_minute = 0;
        if (!take(text, "+-") || !take_number(text, 2, offset_hour) || !take(text, ":") ||
            !take_number(text, 2, offset_minute) || offset_hour > 23 || offset_minute > 59) {
            return bad();
        }
        offset_minutes = (offset_hour * 60 + offset_minute) * (west ? -1 : 1);
    }
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!text.empty() || !date.ok() || hour > 23 || minute > 59 || second > 60) return bad();
    const auto at = std::chrono::sys_days(date) + std::chrono::hours(hour) +
                    std::chrono::minutes(minute - offset_minutes) + std::chrono::seconds(second) +
                    std::chrono::milliseconds(millis);
    return in_range(std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count());
}

Result<Timestamp> payload_timestamp(std::string_view payload, const std::string& pointer, TimestampFormat format) {
    if (payload.size() > kJsonBytesMax) return invalid("payload is too large to look for a time in it");
    thread_local simdjson::dom::parser parser(kJsonBytesMax + simdjson::SIMDJSON_PADDING);
    const auto document = parser.parse(payload.data(), payload.size());
    if (document.error() != simdjson::SUCCESS) {
        return invalid(std::string("payload is not JSON: ") + simdjson::error_message(document.error()));
    }
    const auto element = document.at_pointer(pointer);
    if (element.error() != simdjson::SUCCESS) return invalid("payload has no value at " + pointer);
    if (std::string_view text; element.get_string().get(text) == simdjson::SUCCESS) return from_text(text, format);
    if (format == TimestampFormat::rfc3339) return invalid("the value at " + pointer + " is not a string");
    if (std::int64_t value = 0; element.get_int64().get(value) == simdjson::SUCCESS) return from_integer(value, format);
    if (double value = 0; element.get_double().get(value) == simdjson::SUCCESS) return from_decimal(value, format);
    return invalid("the value at " + pointer + " is not a time");
}

}  // namespace sluice::bridge
