#include "agent/config_text_place.hpp"

#include "agent/config_text_file.hpp"

#include <string>

namespace sluice::agent {

namespace {

constexpr std::size_t kFileBytesMax = 1U << 20U;

bool is_continued(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80;
}

/// Reads a file's text forwards, and knows in which line and column it is; columns count characters.
class Walker {
 public:
    explicit Walker(std::string_view text) : text_(text) {}

    [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
    [[nodiscard]] bool sees(std::string_view what) const { return text_.substr(at_).starts_with(what); }
    [[nodiscard]] std::size_t bytes_of_character() const {
        std::size_t bytes = 1;
        while (at_ + bytes < text_.size() && is_continued(text_[at_ + bytes])) ++bytes;
        return bytes;
    }
    void skip(std::size_t bytes) {
        for (; bytes > 0 && !at_end(); --bytes, ++at_) {
            if (text_[at_] == '\n') {
                ++line;
                column = 1;
            } else if (at_ + 1 >= text_.size() || !is_continued(text_[at_ + 1])) {
                ++column;
            }
        }
    }
    void skip_white() {
        while (!at_end() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) skip(1);
    }

    std::uint32_t line = 1;
    std::uint32_t column = 1;

 private:
    std::string_view text_;
    std::size_t at_ = 0;
};

/// Goes over one character of the value. @return how many bytes of the value it is
std::size_t step(Walker& walker, bool escapes) {
    if (!escapes || !walker.sees("\\")) {
        const auto bytes = walker.bytes_of_character();
        walker.skip(bytes);
        return bytes;
    }
    if (walker.sees("\\u") || walker.sees("\\U")) {
        walker.skip(walker.sees("\\u") ? 6 : 10);
        return 2;  // or up to 4: nobody writes an expression so
    }
    walker.skip(1);
    if (walker.sees("\n") || walker.sees("\r") || walker.sees(" ")) {  // a line that goes on in the next
        walker.skip_white();
        return 0;
    }
    walker.skip(1);
    return 1;
}

}  // namespace

Place place_in_string(std::string_view file, const Place& value, std::size_t offset) {
    Walker walker(file);
    while (!walker.at_end() && (walker.line < value.line || walker.column < value.column)) walker.skip(1);
    const bool escapes = walker.sees("\"");
    if (!escapes && !walker.sees("'")) return value;
    if (walker.sees("\"\"\"") || walker.sees("'''")) {
        walker.skip(3);
        if (walker.sees("\r")) walker.skip(1);
        if (walker.sees("\n")) walker.skip(1);  // the first line end is not part of the value
    } else {
        walker.skip(1);
    }
    for (std::size_t seen = 0; seen < offset;) {
        if (walker.at_end()) return value;
        seen += step(walker, escapes);
    }
    if (escapes && (walker.sees("\\\n") || walker.sees("\\\r"))) step(walker, escapes);
    return {value.source, walker.line, walker.column};
}

Place place_in_string(const Place& value, std::size_t offset) {
    const auto text = read_text_file(value.source, kFileBytesMax);
    return text ? place_in_string(*text, value, offset) : value;
}

}  // namespace sluice::agent
