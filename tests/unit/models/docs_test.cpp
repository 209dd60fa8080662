// docs/rules.md says what the code does.
#include "models/rules/compiler.hpp"
#include "models/rules/reference.hpp"
#include "tests/unit/models/life_fleet.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

using namespace sluice::models;

namespace {

std::string rules_page() {
    std::ifstream in(SLUICE_SOURCE_DIR "/docs/rules.md");
    std::stringstream page;
    page << in.rdbuf();
    return page.str();
}

}  // namespace

TEST_CASE("docs: the functions in docs/rules.md are those of the table") {
    const auto page = rules_page();
    CHECK(page.find(rules::reference()) != std::string::npos);
    CHECK(rules::with_reference(page) == page);  // else: build/release/tests/rules_reference docs/rules.md
}

TEST_CASE("docs: each expression in docs/rules.md compiles") {
    const auto page = rules_page();
    int expressions = 0;
    for (const char* key : {"\n    expr = \"", "\n    where = \""}) {
        for (auto at = page.find(key); at != std::string::npos; at = page.find(key, at + 1)) {
            const auto from = at + std::string_view(key).size();
            const auto text = page.substr(from, page.find('"', from) - from);
            CAPTURE(text);
            FieldTable table;
            CHECK(std::holds_alternative<rules::Program>(
                rules::compile(text, table, rules::Type::boolean, pump_model())));
            ++expressions;
        }
    }
    CHECK(expressions >= 8);
}

TEST_CASE("docs: the mistake in docs/rules.md is told as it is there") {
    FieldTable table;
    const std::string text = "avg(temperature, 5m) > 80 and slope(temperature, 30m) > 0.5";
    const auto compiled = rules::compile(text, table, rules::Type::boolean);
    std::stringstream shown(rules::render(std::get<rules::Diagnostics>(compiled).front(), text));
    std::string indented;
    for (std::string line; std::getline(shown, line);) indented += "    " + line + "\n";
    CHECK(rules_page().find(indented) != std::string::npos);
}
