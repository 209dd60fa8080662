#include "storage/disk_reserve.hpp"

namespace sluice::storage {

namespace {

constexpr std::uint64_t kReserveBytesMin = 64U << 10U;  // less than this is room for little

}  // namespace

void DiskReserve::keep() {
    for (auto bytes = kBytes; kept_ < bytes && bytes >= kReserveBytesMin; bytes /= 2) {
        auto file = files_.open(path_, OpenMode::create);
        if (!file) return;
        if ((*file)->allocate(bytes)) {
            kept_ = bytes;
        } else if (kept_ == 0) {
            static_cast<void>(files_.remove(path_));
        } else {
            static_cast<void>((*file)->truncate(kept_));
        }
    }
}

Result<bool> DiskReserve::give() {
    const auto status = files_.status(path_);
    if (!status || status->size_bytes == 0) return false;
    kept_ = 0;
    if (auto done = files_.remove(path_); !done) return done.error();
    return true;
}

}  // namespace sluice::storage
