#include "bridge/mqtt/access.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <string>

using namespace sluice;
using namespace sluice::bridge::mqtt;
using MaybeText = std::optional<std::string>;

namespace {

// "secret", made with Python's hashlib.scrypt; a cheap one
const std::string kAliceLine =
    "alice:$scrypt$ln=4,r=8,p=1$K9gGyX8OAK8aH8Myj6djqQ$k2xJOEag/33x6PESUyNtJP1NuQFHVsJWWcVYCF9eJWU\n";

class Files {
 public:
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(directory_ / name, std::ios::binary) << text;
        return directory_ / name;
    }
    [[nodiscard]] std::string path(const std::string& name) const { return directory_ / name; }

 private:
    test::TempDir directory_;
};

std::shared_ptr<const Access> access_of(const AccessOptions& options) {
    auto access = Access::load(options);
    REQUIRE_MESSAGE(access.has_value(), access.error().message());
    return *access;
}

}  // namespace

TEST_CASE("access: who may connect") {
    const Files files;
    const auto users = files.write("users", kAliceLine);
    const auto open = access_of({.anonymous = true});
    const auto closed = access_of({});
    const auto both = access_of({.anonymous = true, .password_file = users});
    const auto named = access_of({.password_file = users});
    struct Case {
        std::shared_ptr<const Access> access;
        MaybeText user;
        MaybeText password;
        Login login;
    };
    const Case cases[] = {
        {open, {}, {}, Login::anonymous},
        {open, "alice", "secret", Login::anonymous},  // nobody knows whether it is alice
        {open, "alice", {}, Login::anonymous},
        {open, {}, "secret", Login::anonymous},
        {closed, {}, {}, Login::anonymous_refused},
        {closed, "alice", "secret", Login::anonymous_refused},
        {both, {}, {}, Login::anonymous},
        {both, "alice", "secret", Login::accepted},
        {both, "alice", "wrong", Login::unknown_or_wrong},  // and not anonymous instead
        {named, {}, {}, Login::anonymous_refused},
        {named, {}, "secret", Login::no_user},
        {named, "alice", {}, Login::no_password},
        {named, "alice", "", Login::unknown_or_wrong},
        {named, "alice", "secret", Login::accepted},
        {named, "bob", "secret", Login::unknown_or_wrong},
        {named, "", "secret", Login::unknown_or_wrong},
    };
    for (const auto& each : cases) {
        CAPTURE(each.user.value_or("(none)"));
        CAPTURE(each.password.value_or("(none)"));
        CHECK(std::string(to_string(each.access->authenticate({each.user, each.password}))) == to_string(each.login));
    }
}

TEST_CASE("access: from this machine without a name, unless the configuration says otherwise") {
    const Credentials local{.loopback = true};
    CHECK(access_of({})->authenticate(local) == Login::anonymous);
    CHECK(access_of({.anonymous = false})->authenticate(local) == Login::anonymous_refused);
}

TEST_CASE("access: a verified certificate names the user, whatever CONNECT says") {
    const Files files;
    const auto users = access_of({.password_file = files.write("users", kAliceLine)});
    const Credentials both{.user = "alice", .password = "wrong", .certificate_subject = "pump-07"};
    CHECK(users->authenticate(both) == Login::certified);
    CHECK_FALSE(users->takes_time(both));
    CHECK(users->has_user("alice"));
    CHECK_FALSE(users->has_user("pump-07"));
}

TEST_CASE("access: without an ACL file everything is allowed, with an empty one nothing") {
    const Files files;
    const Identity who{.client_id = "c"};
    const auto open = access_of({.anonymous = true});
    CHECK(open->may_publish(who, "a"));
    CHECK(open->may_subscribe(who, "#"));
    CHECK(open->may_read(who, "a"));
    const auto closed = access_of({.anonymous = true, .acl_file = files.write("acl", "")});
    CHECK_FALSE(closed->may_publish(who, "a"));
    CHECK_FALSE(closed->may_subscribe(who, "#"));
    CHECK_FALSE(closed->may_read(who, "a"));
}

TEST_CASE("access: the ACL file decides") {
    const Files files;
    const auto access = access_of({.acl_file = files.write("acl", "user alice\ntopic read a/#\ntopic write b\n")});
    const Identity alice{.user = "alice", .client_id = "c"};
    CHECK(access->may_read(alice, "a/b"));
    CHECK(access->may_subscribe(alice, "a/#"));
    CHECK(access->may_publish(alice, "b"));
    CHECK_FALSE(access->may_publish(alice, "a/b"));
    CHECK_FALSE(access->may_read({.client_id = "c"}, "a/b"));
}

TEST_CASE("access: a snapshot stays as it is when the files change") {
    const Files files;
    const auto users = files.write("users", kAliceLine);
    const auto before = access_of({.password_file = users});
    files.write("users", "# nobody\n");
    const auto after = access_of({.password_file = users});
    CHECK(before->authenticate({"alice", "secret"}) == Login::accepted);
    CHECK(after->authenticate({"alice", "secret"}) == Login::unknown_or_wrong);
}

TEST_CASE("access: a fault is told with file and line") {
    const Files files;
    const auto fault = [](const AccessOptions& options) {
        const auto access = Access::load(options);
        return access ? "none" : access.error().message();
    };
    const auto users = files.write("users", "# c\nalice:secret\n");
    CHECK(fault({.password_file = users}) ==
          users + ":2: user alice: no $scrypt$ hash (set the password with sluice passwd)");
    const auto acl = files.write("acl", "\ntopic a#\n");
    CHECK(fault({.acl_file = acl}).starts_with(acl + ":2: \"a#\" is no topic filter"));
    CHECK(fault({.password_file = files.path("none")}) == files.path("none") + ": no such file");
    CHECK(fault({.acl_file = files.path("none")}) == files.path("none") + ": no such file");
    CHECK(fault({.acl_file = files.path("")}).find("Is a directory") != std::string::npos);
}

TEST_CASE("access: files are at most 1 MiB") {
    const Files files;
    const std::string full = "#" + std::string(kAclFileBytesMax - 1, 'x');
    const auto good = files.write("good", full);
    CHECK(Access::load({.password_file = good, .acl_file = good}).has_value());
    const auto large = files.write("large", full + "x");
    CHECK(Access::load({.password_file = large}).error().message() == large + ": is larger than 1048576 bytes");
    CHECK(Access::load({.acl_file = large}).error().message() == large + ": is larger than 1048576 bytes");
}
