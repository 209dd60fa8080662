// `sluice passwd`: a user of the agent's own MQTT listener and the password, in the password file.
#include "agent/cli/ask_password.hpp"
#include "agent/cli/commands.hpp"
#include "agent/private_file.hpp"
#include "agent/text.hpp"
#include "bridge/mqtt/password_file.hpp"
#include "bridge/mqtt/user_name.hpp"

#include <iostream>

namespace sluice::agent {

namespace {

using bridge::mqtt::kPasswordFileBytesMax;
using bridge::mqtt::PasswordFile;
using storage::Errc;
using storage::Error;
using storage::Result;

int complain(const std::string& what, int status) {
    std::cerr << what << "\n";
    return status;
}

int fail(const Error& error) {
    return complain(error.message(), error.kind() == Errc::closed ? kExitInterrupted : kExitFailure);
}

/// Loads the file, or begins one, and has `edit` change it.
template <class Edit>
Result<void> change_users(const std::string& path, const Edit& edit) {
    return change_private_file(path, kPasswordFileBytesMax,
                               [&](const std::optional<std::string>& old) -> Result<std::string> {
                                   auto users = PasswordFile::load(old.value_or(""), path);
                                   if (!users) return users.error();
                                   if (auto edited = edit(*users); !edited) return edited.error();
                                   return users->text();
                               });
}

int delete_user(const PasswdArguments& arguments) {
    const auto done = change_users(arguments.file, [&](PasswordFile& users) -> Result<void> {
        if (users.remove(arguments.user)) return {};
        return Error(Errc::not_found, "there is no user " + arguments.user + " in " + arguments.file);
    });
    if (!done) return fail(done.error());
    std::cout << "deleted user " << arguments.user << " from " << arguments.file << std::endl;
    return kExitSuccess;
}

int set_password(const PasswdArguments& arguments) {
    const auto password = arguments.password_stdin ? read_password_line() : ask_new_password();
    if (!password) return fail(password.error());
    bool known = false;
    const auto done = change_users(arguments.file, [&](PasswordFile& users) {
        known = users.contains(arguments.user);
        return users.set(arguments.user, *password);
    });
    if (!done) return fail(done.error());
    std::cout << (known ? "changed the password of user " : "added user ") << arguments.user
              << (known ? " in " : " to ") << arguments.file << std::endl;
    return kExitSuccess;
}

}  // namespace

int passwd_command(const PasswdArguments& arguments) {
    if (const auto good = bridge::mqtt::check_user_name(arguments.user); !good) {
        return complain(one_line(arguments.user) + ": " + good.error().message(), kExitUsage);
    }
    return arguments.remove ? delete_user(arguments) : set_password(arguments);
}

}  // namespace sluice::agent
