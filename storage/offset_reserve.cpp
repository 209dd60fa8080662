#include "storage/offset_reserve.hpp"

#include <charconv>

namespace sluice::storage {

namespace {

constexpr const char* kFile = "offset-reserve";
constexpr std::int64_t kStep = 65536;

}  // namespace

Result<std::optional<Offset>> OffsetReserve::left_behind() const {
    const auto path = directory_ + "/" + kFile;
    const auto text = read_file(files_, path);
    if (!text) {
        if (text.error().kind() == Errc::not_found) return std::optional<Offset>();
        return text.error();
    }
    std::int64_t bound = 0;
    const auto parsed = std::from_chars(text->data(), text->data() + text->size(), bound);
    if (parsed.ec != std::errc() || bound < 0) {
        return Error(Errc::corrupt, path +
                                        " does not hold a number (offsets could be used twice; to start anew, move " +
                                        directory_ + " away)");
    }
    return std::optional(Offset(bound));
}

Result<void> OffsetReserve::cover(Offset end) {
    if (bound_ && end <= *bound_) return {};
    const auto bound = end + kStep;
    auto done = replace_file(files_, directory_, kFile, std::to_string(bound.value()) + "\n");
    if (done) bound_ = bound;
    return done;
}

Result<void> OffsetReserve::clear() {
    bound_.reset();
    if (auto done = files_.remove(directory_ + "/" + kFile); !done) return done;
    return files_.sync_directory(directory_);
}

}  // namespace sluice::storage
