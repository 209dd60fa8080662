#include "agent/flash_life.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <fstream>

using namespace sluice;
using namespace sluice::agent;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kGigabyte = 1'000'000'000;

/// sysfs of a box with an eMMC: a disk, and a partition that the data is on.
struct Sysfs {
    explicit Sysfs(const std::string& life_time) {
        const auto disk = root() + "/devices/mmc0/block/mmcblk0";
        std::filesystem::create_directories(disk + "/mmcblk0p2");
        std::filesystem::create_directories(disk + "/device");
        std::filesystem::create_directories(root() + "/dev/block");
        std::filesystem::create_directory_symlink(disk + "/mmcblk0p2", root() + "/dev/block/179:2");
        write(disk + "/mmcblk0p2/partition", "2\n");
        write(disk + "/mmcblk0p2/stat", "  1 2 3 4 5 6 2000 8 9 10 11\n");
        if (!life_time.empty()) write(disk + "/device/life_time", life_time);
    }
    [[nodiscard]] std::string root() const { return directory.path(); }
    static void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

    test::TempDir directory;
};

}  // namespace

TEST_CASE("flash: an eMMC behind a partition tells what was written and how worn it is") {
    const Sysfs sysfs("0x01 0x03\n");
    const auto device = BlockDevice::of("179:2", sysfs.root());
    REQUIRE(device.has_value());
    CHECK(device->disk() == "mmcblk0");
    CHECK(device->bytes_written() == 2000 * 512);
    REQUIRE(device->wear());
    CHECK(device->wear()->percent_from == 20);
    CHECK(device->wear()->percent_to == 30);
    CHECK_FALSE(BlockDevice::of("8:1", sysfs.root()).has_value());
}

TEST_CASE("flash: an SD card says nothing of its wear; registers that make no sense are not believed") {
    const Sysfs card("");
    const auto device = BlockDevice::of("179:2", card.root());
    REQUIRE(device.has_value());
    CHECK_FALSE(device->wear());
    for (const auto* text : {"", "0x00 0x00", "0x0c 0x01", "worn", "0x01"}) CHECK_FALSE(parse_emmc_life_time(text));
    REQUIRE(parse_emmc_life_time("0x0b 0x01"));
    CHECK(parse_emmc_life_time("0x0b 0x01")->percent_to == 100);
}

TEST_CASE("flash: the health page of an NVMe device") {
    std::array<std::byte, 512> page{};
    page[5] = std::byte{40};
    page[48] = std::byte{0x10};
    page[49] = std::byte{0x27};  // 10,000 units of 512,000 bytes
    const auto wear = parse_nvme_health(page);
    REQUIRE(wear);
    CHECK(wear->percent_to == 40);
    CHECK(wear->bytes_written == 10'000ULL * 512'000);
    CHECK_FALSE(parse_nvme_health(std::span(page).first(100)));
}

TEST_CASE("flash: the account goes on over restarts of the agent and of the machine") {
    FlashAccount account{"boot-1", 1000, 0, storage::Timestamp(5ms)};
    account.count("boot-1", 1500);
    CHECK(account.total == 500);
    account.count("boot-2", 300);  // the kernel's counter began at 0
    CHECK(account.total == 800);
    const auto again = FlashAccount::parse(account.to_text());
    REQUIRE(again);
    CHECK(again->boot_id == "boot-2");
    CHECK(again->counter == 300);
    CHECK(again->total == 800);
    CHECK(again->since == account.since);
    CHECK_FALSE(FlashAccount::parse("boot-1 1"));
}

TEST_CASE("flash: days left") {
    const FlashAccount account{"boot", 0, 20 * kGigabyte, storage::Timestamp(0ms)};
    const storage::Timestamp now(48h);
    SUBCASE("too early") {
        const auto life = estimate_life(account, {}, 1000 * kGigabyte, storage::Timestamp(1h));
        CHECK_FALSE(life.bytes_per_day);
        CHECK_FALSE(life.days_left);
        CHECK(describe(life, "mmcblk0") == "mmcblk0: how much is written a day is not known yet");
    }
    SUBCASE("a rate, and nothing to compare it with") {
        const auto life = estimate_life(account, {}, {}, now);
        CHECK(life.bytes_per_day == doctest::Approx(1e10));
        CHECK_FALSE(life.days_left);
        CHECK(describe(life, "mmcblk0") == "10.0 GB a day to mmcblk0");
    }
    SUBCASE("counted bytes against a configured endurance") {
        CHECK(estimate_life(account, {}, 1020 * kGigabyte, now).days_left == doctest::Approx(100));
        CHECK(estimate_life(account, {}, 10 * kGigabyte, now).days_left == 0.0);
    }
    SUBCASE("what is worn already counts") {
        const auto life = estimate_life(account, MediumWear{10, 20, {}}, 1000 * kGigabyte, now);
        CHECK(life.days_left == doctest::Approx(80));
        CHECK(describe(life, "mmcblk0") == "10.0 GB a day to mmcblk0, which is 10 to 20 % worn: 80 days left");
    }
    SUBCASE("an NVMe device's own history") {
        const auto life = estimate_life(account, MediumWear{50, 50, 500 * kGigabyte}, {}, now);
        CHECK(life.days_left == doctest::Approx(50));
        CHECK_FALSE(estimate_life(account, MediumWear{1, 1, kGigabyte}, {}, now).days_left);
    }
}
