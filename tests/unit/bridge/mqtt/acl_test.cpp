#include "bridge/mqtt/acl.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <utility>

using namespace sluice;
using namespace sluice::bridge::mqtt;

namespace {

const Identity kAnonymous{.client_id = "c1"};
const Identity kAlice{.user = "alice", .client_id = "c1"};
const Identity kBob{.user = "bob", .client_id = "c2"};

Acl loaded(const std::string& text) {
    auto acl = Acl::load(text, "acl");
    REQUIRE_MESSAGE(acl.has_value(), acl.error().message());
    return std::move(*acl);
}

std::string fault(const std::string& text) {
    const auto acl = Acl::load(text, "acl");
    return acl ? "none" : acl.error().message();
}

}  // namespace

TEST_CASE("acl: what no rule allows is denied") {
    for (const auto* text : {"", "# nothing\n\n", "user alice\n"}) {
        const auto acl = loaded(text);
        for (const auto& who : {kAnonymous, kAlice}) {
            CHECK_FALSE(acl.may_publish(who, "a"));
            CHECK_FALSE(acl.may_subscribe(who, "a"));
            CHECK_FALSE(acl.may_read(who, "a"));
        }
    }
}

TEST_CASE("acl: each word allows what it says") {
    const auto acl = loaded("topic read r\ntopic write w\ntopic readwrite rw\ntopic both\ntopic deny d\n");
    struct Case {
        const char* topic;
        bool publish;
        bool read;
    };
    const Case cases[] = {
        {"r", false, true}, {"w", true, false}, {"rw", true, true}, {"both", true, true}, {"d", false, false},
    };
    for (const auto& each : cases) {
        CAPTURE(each.topic);
        CHECK(acl.may_publish(kAnonymous, each.topic) == each.publish);
        CHECK(acl.may_read(kAnonymous, each.topic) == each.read);
        CHECK(acl.may_subscribe(kAnonymous, each.topic) == each.read);
    }
}

TEST_CASE("acl: rules before the first user are for anonymous clients, those after one for that user") {
    const auto acl = loaded(R"(
topic read public/#
user alice
topic readwrite a/#
user bob
topic read a/+
user alice
topic read late
)");
    CHECK(acl.may_read(kAnonymous, "public/x"));
    CHECK_FALSE(acl.may_read(kAlice, "public/x"));
    CHECK_FALSE(acl.may_read(kAnonymous, "a/x"));
    CHECK(acl.may_publish(kAlice, "a/x/y"));
    CHECK(acl.may_read(kAlice, "late"));
    CHECK(acl.may_read(kBob, "a/x"));
    CHECK_FALSE(acl.may_read(kBob, "a/x/y"));
    CHECK_FALSE(acl.may_publish(kBob, "a/x"));
    CHECK_FALSE(acl.may_read(kBob, "late"));
    CHECK_FALSE(acl.may_read({.user = "carol", .client_id = "c1"}, "public/x"));
    CHECK_FALSE(acl.may_read({.user = "", .client_id = "c1"}, "public/x"));  // an empty name is not anonymous
}

TEST_CASE("acl: deny wins, wherever it stands") {
    for (const auto* text : {
             "topic readwrite a/#\ntopic deny a/secret\n",
             "topic deny a/secret\ntopic readwrite a/#\n",
             "topic readwrite a/#\npattern deny a/secret\n",
             "pattern readwrite a/#\ntopic deny a/secret\n",
             "topic deny a/secret\ntopic readwrite a/secret\ntopic readwrite a/#\n",
             "topic readwrite a/#\npattern deny +/secret\n",
         }) {
        CAPTURE(text);
        const auto acl = loaded(text);
        CHECK(acl.may_publish(kAnonymous, "a/open"));
        CHECK(acl.may_read(kAnonymous, "a/open"));
        CHECK_FALSE(acl.may_publish(kAnonymous, "a/secret"));
        CHECK_FALSE(acl.may_read(kAnonymous, "a/secret"));
    }
    CHECK(loaded("topic deny a\nuser alice\ntopic a\n").may_read(kAlice, "a"));  // another's
}

TEST_CASE("acl: a subscription needs one rule for all of it") {
    const auto acl = loaded("topic read a/+/c\ntopic read b/#\ntopic write w/#\ntopic read x/1\ntopic read x/2\n");
    const std::pair<const char*, bool> cases[] = {
        {"a/+/c", true},   {"a/b/c", true},   {"a/#", false}, {"a/+/+", false}, {"+/+/c", false}, {"b", true},
        {"b/#", true},     {"b/+/c/#", true}, {"#", false},   {"+/#", false},   {"w/x", false},  // to publish only
        {"x/1", true},     {"x/+", false},  // no two rules together
        {"$SYS/#", false},
    };
    for (const auto& each : cases) {
        CAPTURE(each.first);
        CHECK(acl.may_subscribe(kAnonymous, each.first) == each.second);
    }
}

TEST_CASE("acl: a deny rule refuses a subscription that it takes in as a whole, and messages of another one") {
    const auto acl = loaded("topic read a/#\ntopic deny a/secret/#\n");
    CHECK_FALSE(acl.may_subscribe(kAnonymous, "a/secret"));
    CHECK_FALSE(acl.may_subscribe(kAnonymous, "a/secret/+"));
    CHECK(acl.may_subscribe(kAnonymous, "a/#"));
    CHECK(acl.may_subscribe(kAnonymous, "a/+/key"));
    CHECK(acl.may_read(kAnonymous, "a/open/key"));
    CHECK_FALSE(acl.may_read(kAnonymous, "a/secret/key"));
}

TEST_CASE("acl: # takes in nothing that begins with $") {
    const auto acl = loaded("topic #\nuser alice\ntopic read $SYS/#\n");
    CHECK(acl.may_subscribe(kAnonymous, "#"));
    CHECK(acl.may_read(kAnonymous, "a/b"));
    CHECK_FALSE(acl.may_subscribe(kAnonymous, "$SYS/#"));
    CHECK_FALSE(acl.may_read(kAnonymous, "$SYS/up"));
    CHECK_FALSE(acl.may_publish(kAnonymous, "$SYS/up"));
    CHECK(acl.may_subscribe(kAlice, "$SYS/#"));
    CHECK_FALSE(acl.may_subscribe(kAlice, "#"));
}

TEST_CASE("acl: a shared subscription is judged by its filter") {
    const auto acl = loaded("topic read a/#\n");
    CHECK(acl.may_subscribe(kAnonymous, "$share/group/a/+"));
    CHECK_FALSE(acl.may_subscribe(kAnonymous, "$share/group/b"));
    CHECK_FALSE(acl.may_subscribe(kAnonymous, "$share/a/#"));  // group "a", filter "#"
    for (const auto* filter : {"$share/a", "$share//a/b", "$share/+/a/b", "$share/g/", "$share/g/a/#/b"}) {
        CAPTURE(filter);
        CHECK_FALSE(loaded("topic #\npattern #\ntopic $share\n").may_subscribe(kAnonymous, filter));
    }
}

TEST_CASE("acl: patterns are for everybody, with the user's name and the client id") {
    const auto acl = loaded(R"(
user alice
pattern write up/%u/%c
pattern read down/%c/#
pattern read all/#
pattern read x/dev-%c.%u-y/z
)");
    CHECK(acl.may_publish(kAlice, "up/alice/c1"));
    CHECK_FALSE(acl.may_publish(kAlice, "up/alice/c2"));
    CHECK_FALSE(acl.may_publish(kAlice, "up/bob/c1"));
    CHECK_FALSE(acl.may_publish(kAlice, "up/%u/%c"));
    CHECK(acl.may_publish(kBob, "up/bob/c2"));
    CHECK(acl.may_subscribe(kBob, "down/c2/#"));
    CHECK_FALSE(acl.may_subscribe(kBob, "down/+/#"));
    CHECK(acl.may_read(kBob, "x/dev-c2.bob-y/z"));
    // Anonymous clients have a client id, but no name.
    CHECK(acl.may_subscribe(kAnonymous, "down/c1/x"));
    CHECK(acl.may_subscribe(kAnonymous, "all/#"));
    CHECK_FALSE(acl.may_publish(kAnonymous, "up//c1"));
    CHECK_FALSE(acl.may_publish(kAnonymous, "up/%u/c1"));
}

TEST_CASE("acl: only patterns replace, and only %u and %c") {
    const auto acl = loaded("topic read t/%c\npattern read 100%/%x/%%c/%\n");
    CHECK(acl.may_read(kAnonymous, "t/%c"));
    CHECK_FALSE(acl.may_read(kAnonymous, "t/c1"));
    CHECK(acl.may_read(kAnonymous, "100%/%x/%c1/%"));
}

TEST_CASE("acl: a name can't give more than its level") {
    const auto acl = loaded("pattern read u/%u/#\npattern read c/%c/#\npattern read %c/#\npattern read dev-%c\n");
    const auto named = [](const char* name) { return Identity{.user = name, .client_id = name}; };
    for (const auto* name : {"+", "#", "a/b", "/", "a+", "#a", "+/+", "", "$SYS/x"}) {
        CAPTURE(name);
        const auto who = named(name);
        for (const auto* filter : {"u/x/y", "u/+/x", "u/#", "u//x", "c/x/y", "c/#", "#", "+/#", "a/b/c", "u/a/b",
                                   "c/a/b/x", "/x", "dev-", "dev-a/b", "u/a+/x"}) {
            CAPTURE(filter);
            CHECK_FALSE(acl.may_subscribe(who, filter));
        }
    }
    // Nor make a filter begin with "$".
    CHECK_FALSE(acl.may_subscribe(named("$SYS"), "$SYS/#"));
    CHECK_FALSE(acl.may_read(named("$SYS"), "$SYS/up"));
    CHECK(acl.may_subscribe(named("$SYS"), "c/$SYS/#"));
    // Nor be replaced itself.
    CHECK(loaded("pattern read %u/%c\n").may_read({.user = "%c", .client_id = "%u"}, "%c/%u"));
}

TEST_CASE("acl: a pattern that denies goes by the same names") {
    const auto acl = loaded("pattern readwrite #\npattern deny private/%u/#\n");
    CHECK_FALSE(acl.may_read(kAlice, "private/alice/x"));
    CHECK(acl.may_read(kBob, "private/alice/x"));
    CHECK(acl.may_read(kAnonymous, "private/alice/x"));
}

TEST_CASE("acl: blanks, comments and ends of lines") {
    const auto acl =
        loaded("\t# comment\r\n  topic \t read \t a b/c  \r\n\r\nuser   alice smith \r\ntopic\twrite\tx\n#topic y");
    CHECK(acl.may_read(kAnonymous, "a b/c"));
    CHECK(acl.may_publish({.user = "alice smith", .client_id = "c"}, "x"));
    CHECK_FALSE(acl.may_read(kAnonymous, "y"));
}

TEST_CASE("acl: a fault is told with its line") {
    const std::string wildcards = " is no topic filter (\"+\" and \"#\" are whole levels, \"#\" the last one)";
    const std::pair<std::string, std::string> cases[] = {
        {"topics a", "acl:1: \"topics\" is not topic, user or pattern"},
        {"# x\n\nTopic a", "acl:3: \"Topic\" is not topic, user or pattern"},
        {"\x1b[2J", "acl:1: that is not topic, user or pattern"},
        {"topic", "acl:1: no topic filter"},
        {"topic read", "acl:1: no topic filter after read"},
        {"pattern deny \t", "acl:1: no topic filter after deny"},
        {"topic all a", "acl:1: \"all\" is not read, write, readwrite or deny"},
        {"topic a b", "acl:1: \"a\" is not read, write, readwrite or deny"},
        {"topic a#", "acl:1: \"a#\"" + wildcards},
        {"topic read a/#/b", "acl:1: \"a/#/b\"" + wildcards},
        {"topic read a/b+/c", "acl:1: \"a/b+/c\"" + wildcards},
        {"pattern write +%u", "acl:1: \"+%u\"" + wildcards},
        {"topic read a\xff", "acl:1: a topic filter is UTF-8"},
        {std::string("topic read a\0b", 14), "acl:1: a topic filter is UTF-8"},
        {"topic " + std::string(65'536, 'x'), "acl:1: a topic filter has at most 65535 bytes"},
        {"topic read $share/g/a", "acl:1: $share/GROUP/FILTER is judged by FILTER: write only that"},
        {"topic a\nuser", "acl:2: no name after user"},
        {"user  ", "acl:1: no name after user"},
        {"user a:b", "acl:1: a user name has no \":\""},
        {"user a\xff", "acl:1: a user name is UTF-8 without control characters"},
    };
    for (const auto& [text, what] : cases) CHECK(fault(text) == what);
}
