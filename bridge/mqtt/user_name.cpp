#include "bridge/mqtt/user_name.hpp"

#include "bridge/mqtt/text_lines.hpp"

#include <cstddef>

namespace sluice::bridge::mqtt {

namespace {

constexpr std::size_t kNameBytesMax = 65'535;  // a UTF-8 encoded string has a two-byte length

}  // namespace

storage::Result<void> check_user_name(std::string_view name) {
    if (name.empty()) return storage::Error(storage::Errc::invalid, "a user name is not empty");
    if (name.size() > kNameBytesMax)
        return storage::Error(storage::Errc::invalid, "a user name has at most 65535 bytes");
    if (!is_printable(name))
        return storage::Error(storage::Errc::invalid, "a user name is UTF-8 without control characters");
    if (name.find(':') != std::string_view::npos)
        return storage::Error(storage::Errc::invalid, "a user name has no \":\"");
    if (name.front() == '#') return storage::Error(storage::Errc::invalid, "a user name doesn't begin with \"#\"");
    return {};
}

}  // namespace sluice::bridge::mqtt
