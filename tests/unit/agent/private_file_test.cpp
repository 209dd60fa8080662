#include "agent/private_file.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

using namespace sluice;
using namespace sluice::agent;
using MaybeText = std::optional<std::string>;

namespace {

std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

unsigned mode_of(const std::string& path) {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777U;
}

std::ptrdiff_t entries_of(const std::string& directory) {
    return std::distance(std::filesystem::directory_iterator(directory), {});
}

Change append(const std::string& text) {
    return [text](const MaybeText& old) -> storage::Result<std::string> { return old.value_or("") + text; };
}

}  // namespace

TEST_CASE("private file: a new one is for its owner only") {
    const test::TempDir directory;
    const auto path = directory / "users";
    const auto old_mask = ::umask(0);
    const auto done = change_private_file(path, 100, [](const MaybeText& old) -> storage::Result<std::string> {
        CHECK_FALSE(old);
        return std::string("new\n");
    });
    ::umask(old_mask);
    REQUIRE_MESSAGE(done.has_value(), done.error().message());
    CHECK(content_of(path) == "new\n");
    CHECK(mode_of(path) == 0600);
    CHECK(entries_of(directory.path()) == 1);
}

TEST_CASE("private file: one that was there keeps its mode") {
    const test::TempDir directory;
    const auto path = directory / "users";
    std::ofstream(path) << "old ";
    REQUIRE(::chmod(path.c_str(), 0640) == 0);
    REQUIRE(change_private_file(path, 100, append("new")).has_value());
    CHECK(content_of(path) == "old new");
    CHECK(mode_of(path) == 0640);
}

TEST_CASE("private file: a symbolic link stays one") {
    const test::TempDir directory;
    std::filesystem::create_directory(directory / "real");
    std::ofstream(directory / "real/users") << "old ";
    std::filesystem::create_symlink("real/users", directory / "users");
    REQUIRE(change_private_file(directory / "users", 100, append("new")).has_value());
    CHECK(std::filesystem::is_symlink(directory / "users"));
    CHECK(content_of(directory / "real/users") == "old new");
}

TEST_CASE("private file: an error leaves all as it is") {
    const test::TempDir directory;
    const auto path = directory / "users";
    std::ofstream(path) << "old";
    const auto refused = change_private_file(path, 100, [](const MaybeText&) -> storage::Result<std::string> {
        return storage::Error(storage::Errc::invalid, "no");
    });
    CHECK(refused.error().message() == "no");
    CHECK(change_private_file(path, 5, append("new")).error().kind() == storage::Errc::invalid);  // too large after
    CHECK(change_private_file(path, 2, append("")).error().kind() == storage::Errc::invalid);     // and before
    CHECK(content_of(path) == "old");
    CHECK(entries_of(directory.path()) == 1);
}

TEST_CASE("private file: what is no regular file, or has no directory, is refused") {
    const test::TempDir directory;
    CHECK(change_private_file(directory.path(), 100, append("x")).error().message().find("not a regular file") !=
          std::string::npos);
    CHECK(change_private_file("/dev/null", 100, append("x")).error().message() == "/dev/null is not a regular file");
    CHECK(change_private_file(directory / "none/users", 100, append("x")).error().message().find("No such file") !=
          std::string::npos);
}

TEST_CASE("private file: changes at the same time all take place") {
    const test::TempDir directory;
    const auto path = directory / "users";
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&] { CHECK(change_private_file(path, 100, append("x")).has_value()); });
    for (auto& thread : threads) thread.join();
    CHECK(content_of(path) == "xxxxxxxx");
    CHECK(entries_of(directory.path()) == 1);
}
