#include "storage/offset_reserve.hpp"

#include "storage/checked_file.hpp"
#include "storage/record_batch.hpp"

namespace sluice::storage {

namespace {

constexpr const char* kReserveFile = "offset-reserve";
constexpr std::int64_t kStep = 65536;

}  // namespace

Result<std::optional<Offset>> OffsetReserve::left_behind() const {
    const auto path = directory_ + "/" + kReserveFile;
    const auto text = load_checked(files_, path);
    if (!text) {
        if (text.error().kind() == Errc::not_found) return std::optional<Offset>();
        return text.error();
    }
    const auto bound = parse_number_line(text->text);
    if (!bound || *bound > kOffsetMax) return Error(Errc::corrupt, path + " is damaged");
    return std::optional(Offset(*bound));
}

Result<void> OffsetReserve::cover(Offset end) {
    if (bound_ && end <= *bound_) return {};
    const auto bound = end + kStep;
    auto done = store_checked(files_, directory_, kReserveFile, std::to_string(bound.value()) + "\n");
    if (done) bound_ = bound;
    return done;
}

Result<void> OffsetReserve::clear() {
    bound_.reset();
    if (auto done = files_.remove(directory_ + "/" + kReserveFile); !done) return done;
    return files_.sync_directory(directory_);
}

}  // namespace sluice::storage
