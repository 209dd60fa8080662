#include "models/nearest_name.hpp"

#include <doctest/doctest.h>

using sluice::models::nearest_name;

TEST_CASE("names: the nearest known name is found for typing errors only") {
    const std::vector<std::string> known = {"id", "data_dir", "brokers", "retention", "retention_bytes", "retry_min"};
    struct Case {
        const char* wrong;
        std::optional<std::string> nearest;
    };
    const Case cases[] = {
        {"brokrs", "brokers"},     // a letter is missing
        {"broekrs", "brokers"},    // two are swapped
        {"brookers", "brokers"},   // one is too many
        {"brokerz", "brokers"},    // one is wrong
        {"datadir", "data_dir"},   //
        {"dataDir", "data_dir"},   // another habit
        {"data-dir", "data_dir"},  //
        {"retention_byte", "retention_bytes"},
        {"retain", std::nullopt},  // not a typing error
        {"x", std::nullopt},       // everything short is near everything short
        {"xy", std::nullopt},
        {"", std::nullopt},
        {"colour", std::nullopt},
    };
    for (const auto& c : cases) {
        CAPTURE(c.wrong);
        CHECK(nearest_name(c.wrong, known) == c.nearest);
    }
    CHECK(nearest_name(std::string(1'000'000, 'a'), known) == std::nullopt);
}
