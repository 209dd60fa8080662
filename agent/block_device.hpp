// block_device.hpp: the block device under a directory: what was written to it, and how worn it says it is.
//
// Sources: Linux, Documentation/block/stat.rst (field 7: sectors of 512 bytes); JEDEC 84-B51 (eMMC 5.0), registers
// DEVICE_LIFE_TIME_EST_TYP_A/B; NVM Express 1.4, log page 02h. Linux only; not thread-safe.
#pragma once

#include "storage/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace sluice::agent {

/// What a device says of its own wear.
struct MediumWear {
    int percent_from = 0;  ///< of its life that is used: at least this …
    int percent_to = 0;    ///< … and at most this; an eMMC tells it in steps of ten
    /// An NVMe device counts what hosts have written in all its life.
    std::optional<std::uint64_t> bytes_written;
};

class BlockDevice {
 public:
    /// @param sysfs  where sysfs is mounted
    /// @return an error where there is no such device: tmpfs, overlay, network
    [[nodiscard]] static storage::Result<BlockDevice> under(const std::string& directory,
                                                            const std::string& sysfs = "/sys");
    /// The device of this number, as sysfs names it: "179:2".
    [[nodiscard]] static storage::Result<BlockDevice> of(const std::string& number, const std::string& sysfs);

    /// "mmcblk0": the disk, where the directory is on a partition of it, or encrypted, or in a volume.
    [[nodiscard]] const std::string& disk() const { return disk_; }
    /// Written to the partition (or volume) since the machine started, by anyone.
    [[nodiscard]] std::optional<std::uint64_t> bytes_written() const;
    /// nullopt where it does not say, or we may not ask: SD cards; NVMe without root.
    [[nodiscard]] std::optional<MediumWear> wear() const;

 private:
    std::string stat_file_;
    std::string disk_;
    std::string disk_directory_;
};

/// The registers of an eMMC as sysfs prints them: "0x02 0x01". Type A and B; the more worn one counts.
[[nodiscard]] std::optional<MediumWear> parse_emmc_life_time(const std::string& text);
/// Log page 02h (SMART / health information), of 512 bytes.
[[nodiscard]] std::optional<MediumWear> parse_nvme_health(std::span<const std::byte> page);

}  // namespace sluice::agent
