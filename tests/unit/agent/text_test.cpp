#include "agent/text.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace sluice::agent;

TEST_CASE("text: nothing that steers a terminal or turns what is shown is left in a line") {
    CHECK(one_line("a\n\tb\x1b[31m\x7f") == "a\\n\\tb\\x1b[31m\\x7f");
    CHECK(one_line("\u009b31m") == "\\u009b31m");                // CSI, as one character
    CHECK(one_line("abc\u202egnp.exe") == "abc\\u202egnp.exe");  // right-to-left override
    CHECK(one_line("\u2066\u2069\u200f\u061c\u2028") == "\\u2066\\u2069\\u200f\\u061c\\u2028");
    CHECK(one_line("\x9b"
                   "31m") ==
          "\\x9b"
          "31m");  // no UTF-8
    for (const std::string plain : {"", "Größe 5 µm", "温度 🌡", "\u00a0\u200d\ufeff"})
        CHECK(one_line(plain) == plain);
}

TEST_CASE("text: JSON for a terminal is the same JSON") {
    CHECK(json_for_terminal("{\"v\":\"\u009b\u202e\x7f ü\"}\n") == "{\"v\":\"\\u009b\\u202e\\u007f ü\"}\n");
}
