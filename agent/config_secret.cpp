#include "agent/config_secret.hpp"

#include "agent/config_text_file.hpp"

#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <string_view>

namespace sluice::agent {

namespace {

constexpr const char* kElsewhere = "use password_file or password_env";
constexpr std::size_t kPasswordBytesMax = 64U << 10U;

void read_from_file(ConfigSection& section, std::optional<std::string>& target) {
    std::string path;
    if (!section.read_path("password_file", path)) return;
    auto text = read_text_file(path, kPasswordBytesMax);
    if (!text) {
        section.error("password_file", text.error().message());
        return;
    }
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    if (text->empty())
        section.error("password_file", in_quotes(path) + " is empty");
    else
        target = std::move(*text);
}

void read_from_environment(ConfigSection& section, std::optional<std::string>& target) {
    std::string name;
    if (!section.read("password_env", name)) return;
    const char* value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') {
        section.error("password_env", "the environment has no " + in_quotes(name), "set it for the process");
    } else {
        target = value;
    }
}

}  // namespace

bool read_password(ConfigSection& section, std::optional<std::string>& target) {
    constexpr std::array<std::string_view, 3> kKeys{"password", "password_file", "password_env"};
    if (section.read("password", target)) warn_if_exposed(section, section.place_of("password"), "the password");
    read_from_file(section, target);
    read_from_environment(section, target);
    std::string_view first;
    for (const auto key : kKeys) {
        if (!section.has(key)) continue;
        if (first.empty())
            first = key;
        else
            section.error(key, in_quotes(first) + " is given too", "keep one of the two");
    }
    return !first.empty();
}

void warn_if_exposed(ConfigSection& section, const Place& place, const std::string& what) {
    auto& diagnostics = section.context().diagnostics;
    if (place.source.starts_with("--")) {
        diagnostics.warning(place, what + " is in the list of processes, which everybody can read", kElsewhere);
        return;
    }
    struct stat status {};
    if (::stat(place.source.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0) {
        diagnostics.warning(place, "everybody on this machine can read " + what + " here",
                            std::string(kElsewhere) + ", or chmod o-r " + place.source);
    }
}

bool is_secret_property(std::string_view name) {
    // Of librdkafka's: sasl.password, ssl.key.password, ssl.keystore.password, sasl.oauthbearer.client.secret,
    // sasl.oauthbearer.config and ssl.key.pem. A wrong guess hides too much, never too little.
    return name.find("password") != std::string_view::npos || name.find("secret") != std::string_view::npos ||
           name.find("oauthbearer.config") != std::string_view::npos || name.ends_with(".pem");
}

}  // namespace sluice::agent
