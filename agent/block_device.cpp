#include "agent/block_device.hpp"

#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

namespace sluice::agent {

namespace {

namespace fs = std::filesystem;
using storage::Errc;
using storage::Error;
using storage::Result;

constexpr std::size_t kHealthPageBytes = 512;

/// The disk that a partition is on, or that the volume (LVM, dm-crypt, MD) is made of first.
fs::path disk_of(fs::path device) {
    std::error_code ignored;
    for (int depth = 0; depth < 8; ++depth) {
        if (fs::exists(device / "partition", ignored)) device = device.parent_path();
        const fs::directory_iterator slaves(device / "slaves", ignored);
        if (ignored || slaves == fs::directory_iterator()) break;
        device = fs::canonical(slaves->path(), ignored);
    }
    return device;
}

std::string read_text(const fs::path& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::uint64_t little_endian(std::span<const std::byte> bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8U | std::to_integer<std::uint64_t>(bytes[i]);
    return value;
}

std::optional<MediumWear> ask_nvme(const std::string& disk) {
    const int fd = ::open(("/dev/" + disk).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return std::nullopt;
    std::array<std::byte, kHealthPageBytes> page{};
    nvme_admin_cmd command{};
    command.opcode = 0x02;  // Get Log Page
    command.nsid = 0xFFFFFFFF;
    command.addr = reinterpret_cast<std::uintptr_t>(page.data());
    command.data_len = page.size();
    command.cdw10 = (page.size() / 4 - 1) << 16U | 0x02U;
    const int status = ::ioctl(fd, NVME_IOCTL_ADMIN_CMD, &command);
    ::close(fd);
    return status == 0 ? parse_nvme_health(page) : std::nullopt;
}

}  // namespace

Result<BlockDevice> BlockDevice::under(const std::string& directory, const std::string& sysfs) {
    struct stat info {};
    if (::stat(directory.c_str(), &info) != 0) return Error::from_errno(errno, "stat", directory);
    auto device = of(std::to_string(major(info.st_dev)) + ":" + std::to_string(minor(info.st_dev)), sysfs);
    if (!device) return Error(Errc::invalid, directory + " is on no block device of its own");
    return device;
}

Result<BlockDevice> BlockDevice::of(const std::string& number, const std::string& sysfs) {
    std::error_code error;
    const auto path = fs::canonical(sysfs + "/dev/block/" + number, error);
    if (error) return Error(Errc::not_found, "no block device " + number);
    BlockDevice device;
    device.stat_file_ = path / "stat";
    device.disk_directory_ = disk_of(path);
    device.disk_ = fs::path(device.disk_directory_).filename();
    if (!device.bytes_written()) return Error(Errc::not_found, "block device " + number + " counts nothing");
    return device;
}

std::optional<std::uint64_t> BlockDevice::bytes_written() const {
    std::ifstream file(stat_file_);
    std::uint64_t value = 0;
    for (int field = 0; field < 7; ++field) {
        if (!(file >> value)) return std::nullopt;
    }
    return value * 512;
}

std::optional<MediumWear> BlockDevice::wear() const {
    if (disk_.starts_with("nvme")) return ask_nvme(disk_);
    return parse_emmc_life_time(read_text(fs::path(disk_directory_) / "device" / "life_time"));
}

std::optional<MediumWear> parse_emmc_life_time(const std::string& text) {
    std::istringstream in(text);
    in >> std::hex;
    int worst = 0;
    for (int type = 0; type < 2; ++type) {
        int value = 0;
        if (!(in >> value)) return std::nullopt;
        worst = std::max(worst, value);
    }
    // 1: 0 to 10 %, … 10: 90 to 100 %, 11: beyond; 0: not defined.
    if (worst < 1 || worst > 11) return std::nullopt;
    return MediumWear{std::min((worst - 1) * 10, 100), std::min(worst * 10, 100), std::nullopt};
}

std::optional<MediumWear> parse_nvme_health(std::span<const std::byte> page) {
    constexpr std::size_t kPercentageUsed = 5;
    constexpr std::size_t kDataUnitsWritten = 48;  // 16 bytes; units of 1,000 blocks of 512 bytes
    constexpr std::uint64_t kUnitBytes = 512'000;
    if (page.size() < kHealthPageBytes) return std::nullopt;
    const auto percent = std::min(std::to_integer<int>(page[kPercentageUsed]), 100);
    const auto units = little_endian(page.subspan(kDataUnitsWritten, 8));
    if (units > std::numeric_limits<std::uint64_t>::max() / kUnitBytes) return std::nullopt;
    return MediumWear{percent, percent, units * kUnitBytes};
}

}  // namespace sluice::agent
