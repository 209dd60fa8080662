#include "bridge/mqtt/text_lines.hpp"

#include "bridge/mqtt/utf8.hpp"

#include <cstddef>

namespace sluice::bridge::mqtt {

std::string_view take_line(std::string_view& rest) {
    const auto end = rest.find('\n');
    auto line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

bool is_printable(std::string_view text) {
    if (!is_mqtt_text(text)) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x20 || byte == 0x7f) return false;
        if (byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0) return false;  // U+0080 to U+009F
    }
    return true;
}

}  // namespace sluice::bridge::mqtt
