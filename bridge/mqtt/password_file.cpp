#include "bridge/mqtt/password_file.hpp"

#include "bridge/mqtt/text_lines.hpp"
#include "bridge/mqtt/user_name.hpp"

#include <algorithm>

namespace sluice::bridge::mqtt {

using storage::Errc;
using storage::Error;
using storage::Result;

Result<PasswordFile> PasswordFile::load(std::string_view text, std::string_view file) {
    PasswordFile loaded;
    for (auto rest = text; !rest.empty();) {
        if (auto taken = loaded.load_line(take_line(rest)); !taken) {
            return taken.error().at(std::string(file) + ":" + std::to_string(loaded.lines_.size() + 1));
        }
    }
    return loaded;
}

Result<void> PasswordFile::load_line(std::string_view text) {
    if (text.starts_with('#') || text.find_first_not_of(" \t") == std::string_view::npos) {
        lines_.push_back({std::string(text), {}});
        return {};
    }
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return Error(Errc::invalid, "no \":\" after the user's name");
    const auto name = text.substr(0, colon);
    if (auto good = check_user_name(name); !good) return good.error();
    if (contains(name)) return Error(Errc::invalid, "user " + std::string(name) + " is there twice");
    auto hash = PasswordHash::parse(text.substr(colon + 1));
    if (!hash) return hash.error().at("user " + std::string(name));
    users_.emplace(name, std::move(*hash));
    lines_.push_back({std::string(text), std::string(name)});
    return {};
}

bool PasswordFile::verify(std::string_view user, std::string_view password) const {
    if (users_.empty()) return false;  // and there is no name to be learnt
    const auto at = users_.lower_bound(user);
    const bool known = at != users_.end() && at->first == user;
    // For an unknown user the next one's hash is computed, and the result not looked at.
    const auto& hash = (at != users_.end() ? at : users_.begin())->second;
    const bool matches = hash.matches(password);
    return known && matches;
}

Result<void> PasswordFile::set(std::string_view user, std::string_view password) {
    if (auto good = check_user_name(user); !good) return good.error();
    const auto hash = PasswordHash::of(password);
    if (!hash) return hash.error();
    const Line line{std::string(user) + ":" + hash->text(), std::string(user)};
    if (users_.insert_or_assign(std::string(user), *hash).second) {
        lines_.push_back(line);
    } else {
        *std::find_if(lines_.begin(), lines_.end(), [&](const Line& each) { return each.user == user; }) = line;
    }
    return {};
}

bool PasswordFile::remove(std::string_view user) {
    const auto at = users_.find(user);
    if (at == users_.end()) return false;
    users_.erase(at);
    std::erase_if(lines_, [&](const Line& line) { return line.user == user; });
    return true;
}

std::string PasswordFile::text() const {
    std::string text;
    for (const auto& line : lines_) text += line.text + "\n";
    return text;
}

}  // namespace sluice::bridge::mqtt
