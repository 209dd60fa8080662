#include "bridge/mqtt/password_file.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>

using namespace sluice;
using namespace sluice::bridge::mqtt;

namespace {

// Made with Python's hashlib.scrypt; cheap ones, so that the tests are quick.
const std::string kSecret = "$scrypt$ln=4,r=8,p=1$K9gGyX8OAK8aH8Myj6djqQ$k2xJOEag/33x6PESUyNtJP1NuQFHVsJWWcVYCF9eJWU";
const std::string kHunter2 = "$scrypt$ln=4,r=8,p=1$gbY32PzSxtpjWeaWMROhFw$jrcqbrRRZTcPYulR0c10BBe/B8afbPSPwKLfag1iPvg";
const std::string kUmlaut = "$scrypt$ln=4,r=8,p=1$ufiGYSS+PAg1NWiABIIAiQ$3Nq3KNHe8jJYQAyfn/c3WBjW7/kzNZmwmnqiQuuO7Eg";

const std::string kUsers = "# operators\n\nbob:" + kHunter2 + "\n  \t\n#carol:" + kSecret + "\nalice:" + kSecret + "\n";

PasswordFile passwords(const std::string& text) {
    auto file = PasswordFile::load(text, "users");
    REQUIRE_MESSAGE(file.has_value(), file.error().message());
    return std::move(*file);
}

std::string password_fault(const std::string& text) {
    const auto file = PasswordFile::load(text, "users");
    return file ? "none" : file.error().message();
}

}  // namespace

TEST_CASE("password hash: RFC 7914's test vector") {
    const auto hash = PasswordHash::parse(
        "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$"
        "cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw");
    REQUIRE(hash.has_value());
    CHECK(hash->matches("pleaseletmein"));
    CHECK_FALSE(hash->matches("pleaseletmeout"));
}

TEST_CASE("password hash: what OWASP recommends is not too much") {
    const auto thorough = PasswordHash::parse(
        "$scrypt$ln=13,r=8,p=10$LXEWQrcmsEQBYnyp+6wy9Q$R/2piV+t+0S43M0OvYiGNiZDB34JJ4808HGivylIAA8");
    const auto large =
        PasswordHash::parse("$scrypt$ln=17,r=8,p=1$LXEWQrcmsEQBYnyp+6wy9Q$aOPSjECzJy5gQlLH9DIlYFNrCuZOD2vNb8t/B9dnUNw");
    REQUIRE(thorough.has_value());
    REQUIRE(large.has_value());
    CHECK(thorough->matches("p"));
    CHECK(large->matches("p"));
}

TEST_CASE("password hash: a new one has its own salt, and says what it cost") {
    const auto one = PasswordHash::of("secret");
    const auto other = PasswordHash::of("secret");
    REQUIRE(one.has_value());
    REQUIRE(other.has_value());
    CHECK(one->text().starts_with("$scrypt$ln=14,r=8,p=1$"));
    CHECK(one->text().size() == std::string("$scrypt$ln=14,r=8,p=1$").size() + 22 + 1 + 43);
    CHECK(one->text() != other->text());
    const auto again = PasswordHash::parse(one->text());
    REQUIRE(again.has_value());
    CHECK(again->text() == one->text());
    CHECK(again->matches("secret"));
    CHECK_FALSE(again->matches("Secret"));
}

TEST_CASE("password hash: a password is 1 to 65535 bytes of any kind") {
    const std::string binary("\0\xff\n:", 4);
    CHECK(PasswordHash::of(binary)->matches(binary));
    CHECK_FALSE(PasswordHash::of(binary)->matches(std::string("\0\xff\n", 3)));
    CHECK(PasswordHash::of(std::string(65'535, 'x'))->matches(std::string(65'535, 'x')));
    CHECK(PasswordHash::of(std::string(65'536, 'x')).error().kind() == storage::Errc::invalid);
    CHECK(PasswordHash::of("").error().kind() == storage::Errc::invalid);
    CHECK_FALSE(PasswordHash::of("secret")->matches(""));
}

TEST_CASE("password hash: malformed ones are refused, and not repeated in the error") {
    const std::string salt = "K9gGyX8OAK8aH8Myj6djqQ";
    const std::string hash = "k2xJOEag/33x6PESUyNtJP1NuQFHVsJWWcVYCF9eJWU";
    const std::string good = "$scrypt$ln=4,r=8,p=1$" + salt + "$" + hash;
    REQUIRE(PasswordHash::parse(good).has_value());
    const std::pair<std::string, const char*> cases[] = {
        {"", "no $scrypt$ hash"},
        {"secret", "no $scrypt$ hash"},
        {" " + good, "no $scrypt$ hash"},
        {"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$" + hash, "no $scrypt$ hash"},
        {"$7$101$" + salt + "==$" + hash + "=", "mosquitto_passwd"},
        {"$6$" + salt + "==$" + hash + "=", "mosquitto_passwd"},
        {"$scrypt$", "$SALT$HASH"},
        {"$scrypt$ln=4,r=8,p=1", "$SALT$HASH"},
        {"$scrypt$ln=4,r=8,p=1$" + salt, "$SALT$HASH"},
        {"$scrypt$ln=4,r=8$" + salt + "$" + hash, "written ln=N,r=N,p=N"},
        {"$scrypt$r=8,ln=4,p=1$" + salt + "$" + hash, "written ln=N,r=N,p=N"},
        {"$scrypt$ln=4,r=8,p=1,x=1$" + salt + "$" + hash, "written ln=N,r=N,p=N"},
        {"$scrypt$ln=-4,r=8,p=1$" + salt + "$" + hash, "written ln=N,r=N,p=N"},
        {"$scrypt$ln=,r=8,p=1$" + salt + "$" + hash, "written ln=N,r=N,p=N"},
        {"$scrypt$ln=4 ,r=8,p=1$" + salt + "$" + hash, "written ln=N,r=N,p=N"},
        {"$scrypt$ln=99999999999,r=8,p=1$" + salt + "$" + hash, "written ln=N,r=N,p=N"},
        {"$scrypt$ln=0,r=8,p=1$" + salt + "$" + hash, "at least 1"},
        {"$scrypt$ln=4,r=0,p=1$" + salt + "$" + hash, "at least 1"},
        {"$scrypt$ln=4,r=8,p=0$" + salt + "$" + hash, "at least 1"},
        {"$scrypt$ln=16,r=1,p=1$" + salt + "$" + hash, "below 16 times r"},
        {"$scrypt$ln=21,r=2,p=1$" + salt + "$" + hash, "cost too much"},
        {"$scrypt$ln=18,r=8,p=1$" + salt + "$" + hash, "cost too much"},
        {"$scrypt$ln=17,r=8,p=2$" + salt + "$" + hash, "cost too much"},
        {"$scrypt$ln=63,r=8,p=1$" + salt + "$" + hash, "cost too much"},
        {"$scrypt$ln=4,r=4294967295,p=1$" + salt + "$" + hash, "cost too much"},
        {"$scrypt$ln=4,r=8,p=4294967295$" + salt + "$" + hash, "cost too much"},
        {"$scrypt$ln=4,r=8,p=1$$" + hash, "the salt"},
        {"$scrypt$ln=4,r=8,p=1$c2hvcnQ$" + hash, "the salt"},         // 5 bytes
        {"$scrypt$ln=4,r=8,p=1$" + salt + "==$" + hash, "the salt"},  // padded
        {"$scrypt$ln=4,r=8,p=1$" + salt + salt + salt + salt + salt + "$" + hash, "the salt"},
        {"$scrypt$ln=4,r=8,p=1$K9gGyX8OAK8aH8Myj6djqR$" + hash, "the salt"},  // bits that nobody reads
        {"$scrypt$ln=4,r=8,p=1$K9gGyX8OAK8aH8Myj6dj*Q$" + hash, "the salt"},
        {"$scrypt$ln=4,r=8,p=1$" + salt + "$", "the hash"},
        {good + "=", "the hash"},
        {good + " ", "the hash"},
        {good + "$", "the hash"},
        {"$scrypt$ln=4,r=8,p=1$" + salt + "$c2hvcnQ", "the hash"},
        {"$scrypt$ln=4,r=8,p=1$" + salt + "$" + std::string(100'000, 'A'), "the hash"},
    };
    for (const auto& each : cases) {
        CAPTURE(each.first);
        const auto parsed = PasswordHash::parse(each.first);
        REQUIRE(parsed.has_error());
        const auto message = parsed.error().message();
        CHECK(parsed.error().kind() == storage::Errc::invalid);
        CHECK_MESSAGE(message.find(each.second) != std::string::npos, message);
        CHECK(message.find("secret") == std::string::npos);
        CHECK(message.size() < 200);
    }
}

TEST_CASE("password file: a user is known by name and password") {
    const auto file = passwords(kUsers);
    CHECK(file.size() == 2);
    CHECK(file.verify("alice", "secret"));
    CHECK(file.verify("bob", "hunter2"));
    CHECK_FALSE(file.verify("alice", "hunter2"));
    CHECK_FALSE(file.verify("bob", "secret"));
    CHECK_FALSE(file.verify("alice", ""));
    CHECK_FALSE(file.verify("Alice", "secret"));
    CHECK_FALSE(file.verify("alice ", "secret"));
    CHECK_FALSE(file.verify("carol", "secret"));  // a comment
}

TEST_CASE("password file: an unknown user gets in with nobody's password") {
    const auto file = passwords(kUsers);
    // Unknown users are checked against the next user's hash: before the first one, between them, after the last one.
    for (const auto* user : {"", "a", "alice2", "bo", "zoe", "#carol", "\xff"}) {
        CAPTURE(user);
        CHECK_FALSE(file.verify(user, "secret"));
        CHECK_FALSE(file.verify(user, "hunter2"));
        CHECK_FALSE(file.contains(user));
    }
    CHECK_FALSE(passwords("").verify("alice", "secret"));
}

TEST_CASE("password file: lines end in LF, CR LF or with the file") {
    CHECK(passwords("alice:" + kSecret).verify("alice", "secret"));
    const auto file = passwords("# from elsewhere\r\nalice:" + kSecret + "\r\n\r\nbob:" + kHunter2 + "\r\n");
    CHECK(file.verify("alice", "secret"));
    CHECK(file.verify("bob", "hunter2"));
}

TEST_CASE("password file: a name is UTF-8 with blanks and all but the first colon's side") {
    const auto file =
        passwords("J\u00fcrgen \u00d6:" + kUmlaut + "\n" + std::string(65'535, 'n') + ":" + kSecret + "\n");
    CHECK(file.verify("J\u00fcrgen \u00d6", "p\u00e4ssword"));
    CHECK(file.verify(std::string(65'535, 'n'), "secret"));
}

TEST_CASE("password file: a fault is told with its line, and without what might be a password") {
    const std::pair<std::string, const char*> cases[] = {
        {"alice", "users:1: no \":\" after the user's name"},
        {"# c\n\nalice:secret\n", "users:3: user alice: no $scrypt$ hash (set the password with sluice passwd)"},
        {":" + kSecret, "users:1: a user name is not empty"},
        {"bob:" + kHunter2 + "\nalice:" + kSecret + "\nbob:" + kSecret, "users:3: user bob is there twice"},
        {"a\tb:" + kSecret, "users:1: a user name is UTF-8 without control characters"},
        {"a\x7f:" + kSecret, "users:1: a user name is UTF-8 without control characters"},
        {"a\u0085:" + kSecret, "users:1: a user name is UTF-8 without control characters"},
        {std::string("a\0b:", 4) + kSecret, "users:1: a user name is UTF-8 without control characters"},
        {"a\xff:" + kSecret, "users:1: a user name is UTF-8 without control characters"},
        {"a\xc2:" + kSecret, "users:1: a user name is UTF-8 without control characters"},
        {std::string(65'536, 'n') + ":" + kSecret, "users:1: a user name has at most 65535 bytes"},
        {"alice:x:" + kSecret, "users:1: user alice: no $scrypt$ hash (set the password with sluice passwd)"},
    };
    for (const auto& [text, what] : cases) CHECK(password_fault(text) == what);
}

TEST_CASE("password file: a new user is added at the end, and all else stays") {
    auto file = passwords(kUsers);
    REQUIRE(file.set("carol", "sesame").has_value());
    CHECK(file.verify("carol", "sesame"));
    CHECK(file.text().starts_with(kUsers + "carol:$scrypt$ln=14,r=8,p=1$"));
    const auto again = passwords(file.text());
    CHECK(again.verify("carol", "sesame"));
    CHECK(again.verify("alice", "secret"));
    CHECK(again.size() == 3);
}

TEST_CASE("password file: a new password takes the place of the old one") {
    auto file = passwords(kUsers);
    REQUIRE(file.set("bob", "sesame").has_value());
    CHECK(file.verify("bob", "sesame"));
    CHECK_FALSE(file.verify("bob", "hunter2"));
    CHECK(file.text().starts_with("# operators\n\nbob:$scrypt$ln=14,"));
    CHECK(file.text().ends_with("\n  \t\n#carol:" + kSecret + "\nalice:" + kSecret + "\n"));
    CHECK(file.text().find(kHunter2) == std::string::npos);
}

TEST_CASE("password file: a user is removed, and all else stays") {
    auto file = passwords(kUsers);
    CHECK(file.remove("bob"));
    CHECK_FALSE(file.remove("bob"));
    CHECK_FALSE(file.remove("carol"));
    CHECK_FALSE(file.remove(""));
    CHECK_FALSE(file.verify("bob", "hunter2"));
    CHECK(file.text() == "# operators\n\n  \t\n#carol:" + kSecret + "\nalice:" + kSecret + "\n");
    CHECK(file.remove("alice"));
    CHECK(file.size() == 0);
}

TEST_CASE("password file: nothing is set that could not be read again") {
    auto file = passwords(kUsers);
    for (const auto* user : {"", "a:b", "a\nb", "#a", "a\xff", "\x1b[2J"}) {
        CAPTURE(user);
        CHECK(file.set(user, "secret").has_error());
    }
    CHECK(file.set("dave", "").has_error());
    CHECK(file.set("bob", "").has_error());
    CHECK(file.text() == kUsers);
    CHECK(passwords("").text().empty());
    CHECK(passwords("alice:" + kSecret).text() == "alice:" + kSecret + "\n");
}
