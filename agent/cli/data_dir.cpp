#include "agent/cli/data_dir.hpp"

#include "agent/config_file.hpp"

#include <iostream>

namespace sluice::agent {

std::optional<std::string> data_dir_of(const LogArguments& arguments) {
    if (arguments.data_dir) return arguments.data_dir;
    if (arguments.config_file.empty()) return Config().data_dir;
    auto loaded = load_data_dir(arguments.config_file);
    for (const auto& error : loaded.errors) std::cerr << to_string(error) << '\n';
    if (!loaded.errors.empty()) return std::nullopt;
    return std::move(loaded.data_dir);
}

int report_failure(const storage::Error& error) {
    std::cerr << error.message() << '\n';
    return kExitFailure;
}

}  // namespace sluice::agent
