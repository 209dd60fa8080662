// text.hpp: how times and bytes of any kind are shown to people and put into JSON.
#pragma once

#include "storage/types.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::agent {

/// "2026-01-31T12:00:00.123Z". A record may claim any time: outside of the years 0 to 9999 it is "-1ms" since 1970.
[[nodiscard]] std::string format_time(storage::Timestamp time);

/// `text` with control characters as \n, \t, \xNN or \uNNNN, so that it stays on one line and can't steer a terminal,
/// nor turn the order of what is shown (Unicode's bidirectional controls). So are bytes that are no UTF-8: \xNN.
[[nodiscard]] std::string one_line(std::string_view text);
/// The same for a line of JSON, which has the ASCII ones escaped: still the same JSON.
[[nodiscard]] std::string json_for_terminal(std::string_view json);

/// Whether the bytes are UTF-8, as RFC 3629 has it: no surrogates, nothing longer than needed.
[[nodiscard]] bool is_utf8(std::string_view bytes);

/// RFC 4648, with padding.
[[nodiscard]] std::string base64(std::string_view bytes);
/// nullopt: it is none.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

/// As short as it can be without another value being meant.
[[nodiscard]] std::string number_text(double value);

/// "a, b, c"
template <class Texts>
[[nodiscard]] std::string joined(const Texts& texts) {
    std::string all;
    for (const auto& text : texts) all += (all.empty() ? "" : ", ") + text;
    return all;
}

/// A record's key or value on one line: as it is where it is text, else base64:…; null.
[[nodiscard]] std::string shown_bytes(const std::optional<std::string_view>& bytes);

}  // namespace sluice::agent
