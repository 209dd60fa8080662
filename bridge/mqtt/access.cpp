#include "bridge/mqtt/access.hpp"

#include "storage/file_system.hpp"

#include <cstddef>
#include <utility>

namespace sluice::bridge::mqtt {

using storage::Errc;
using storage::Error;
using storage::Result;

namespace {

Result<std::string> read_text(const std::string& path, std::size_t bytes_max) {
    storage::PosixFileSystem files;
    const auto status = files.status(path);
    if (!status) return status.error();
    if (status->size_bytes > bytes_max) {
        return Error(Errc::invalid, path + ": is larger than " + std::to_string(bytes_max) + " bytes");
    }
    return storage::read_file(files, path);
}

/// Reads a file and loads it as a T.
template <class T>
Result<T> load_file(const std::string& path, std::size_t bytes_max) {
    const auto text = read_text(path, bytes_max);
    if (!text) return text.error();
    return T::load(*text, path);
}

}  // namespace

const char* to_string(Login login) {
    switch (login) {
        case Login::accepted:
            return "accepted";
        case Login::certified:
            return "accepted by certificate";
        case Login::anonymous:
            return "accepted without a name";
        case Login::anonymous_refused:
            return "anonymous clients are not allowed";
        case Login::no_password:
            return "a user without a password";
        case Login::no_user:
            return "a password without a user";
        case Login::unknown_or_wrong:
            return "unknown user or wrong password";
    }
    return "";
}

Result<std::shared_ptr<const Access>> Access::load(const AccessOptions& options) {
    Access access;
    access.anonymous_ = options.anonymous;
    access.has_users_ = options.password_file.has_value();
    if (options.password_file) {
        auto passwords = load_file<PasswordFile>(*options.password_file, kPasswordFileBytesMax);
        if (!passwords) return passwords.error();
        access.passwords_ = std::move(*passwords);
    }
    if (options.acl_file) {
        auto acl = load_file<Acl>(*options.acl_file, kAclFileBytesMax);
        if (!acl) return acl.error();
        access.acl_ = std::move(*acl);
    }
    return std::shared_ptr<const Access>(std::make_shared<Access>(std::move(access)));
}

bool Access::takes_time(const Credentials& credentials) const {
    return has_users_ && !credentials.certificate_subject && (credentials.user || credentials.password);
}

Login Access::authenticate(const Credentials& credentials) const {
    if (credentials.certificate_subject) return Login::certified;
    if (!takes_time(credentials)) {
        return anonymous_.value_or(credentials.loopback) ? Login::anonymous : Login::anonymous_refused;
    }
    if (!credentials.user) return Login::no_user;
    if (!credentials.password) return Login::no_password;
    return passwords_.verify(*credentials.user, *credentials.password) ? Login::accepted : Login::unknown_or_wrong;
}

bool Access::has_user(const std::string& user) const {
    return passwords_.contains(user);
}

bool Access::may_publish(const Identity& identity, std::string_view topic) const {
    return !acl_ || acl_->may_publish(identity, topic);
}

bool Access::may_subscribe(const Identity& identity, std::string_view filter) const {
    return !acl_ || acl_->may_subscribe(identity, filter);
}

bool Access::may_read(const Identity& identity, std::string_view topic) const {
    return !acl_ || acl_->may_read(identity, topic);
}

}  // namespace sluice::bridge::mqtt
