#include "agent/config_secret.hpp"

#include "agent/config_text_file.hpp"

#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <string_view>

namespace sluice::agent {

namespace {

constexpr std::size_t kSecretBytesMax = 64U << 10U;

void read_from_file(ConfigSection& section, const std::string& key, std::optional<std::string>& target) {
    std::string path;
    if (!section.read_path(key, path, "a file whose contents it is, without the line end")) return;
    auto text = read_text_file(path, kSecretBytesMax);
    if (!text) {
        section.error(key, text.error().message());
        return;
    }
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    if (text->empty())
        section.error(key, in_quotes(path) + " is empty");
    else
        target = std::move(*text);
}

void read_from_environment(ConfigSection& section, const std::string& key, std::optional<std::string>& target) {
    std::string name;
    if (!section.read(key, name, {"a variable of the environment that has it", "", "name"})) return;
    const char* value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') {
        section.error(key, "the environment has no " + in_quotes(name), "set it for the process");
    } else {
        target = value;
    }
}

std::string elsewhere(std::string_view name) {
    return "use " + std::string(name) + "_file or " + std::string(name) + "_env";
}

}  // namespace

bool read_secret(ConfigSection& section, std::string_view name, std::optional<std::string>& target, const KeyDoc& doc) {
    const std::array<std::string, 3> keys{std::string(name), std::string(name) + "_file", std::string(name) + "_env"};
    if (section.read(name, target, doc)) {
        warn_if_exposed(section, section.place_of(name), "the " + std::string(name), name);
    }
    read_from_file(section, keys[1], target);
    read_from_environment(section, keys[2], target);
    std::string_view first;
    for (const auto& key : keys) {
        if (!section.has(key)) continue;
        if (first.empty())
            first = key;
        else
            section.error(key, in_quotes(first) + " is given too", "keep one of the two");
    }
    return !first.empty();
}

void warn_if_exposed(ConfigSection& section, const Place& place, const std::string& what, std::string_view name) {
    auto& diagnostics = section.context().diagnostics;
    if (place.source.starts_with("--")) {
        diagnostics.warning(place, what + " is in the list of processes, which everybody can read", elsewhere(name));
        return;
    }
    struct stat status {};
    if (::stat(place.source.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0) {
        diagnostics.warning(place, "everybody on this machine can read " + what + " here",
                            elsewhere(name) + ", or chmod o-r " + place.source);
    }
}

bool is_secret_property(std::string_view name) {
    // Of librdkafka's: sasl.password, ssl.key.password, ssl.keystore.password, sasl.oauthbearer.client.secret,
    // sasl.oauthbearer.config and ssl.key.pem. A wrong guess hides too much, never too little.
    return name.find("password") != std::string_view::npos || name.find("secret") != std::string_view::npos ||
           name.find("oauthbearer.config") != std::string_view::npos || name.ends_with(".pem");
}

}  // namespace sluice::agent
