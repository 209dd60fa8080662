#include "storage/batch_walk.hpp"

#include "storage/compression.hpp"
#include "storage/record_fields.hpp"

namespace sluice::storage {

Result<void> BatchWalk::open(const BatchHeader& header, std::span<const std::byte> batch) {
    header_ = header;
    left_ = header.is_control() ? 0 : header.record_count;
    rest_ = batch.subspan(kBatchHeaderBytes);
    if (left_ == 0 || codec_of(header) == static_cast<std::uint16_t>(Compression::none)) return {};
    left_ = 0;
    if (auto done = decompress(rest_, static_cast<Compression>(codec_of(header)), unpacked_); !done) return done;
    left_ = header.record_count;
    rest_ = unpacked_;
    return {};
}

Result<bool> BatchWalk::next() {
    if (left_ == 0) return false;
    const auto fields = take_record(rest_, header_);
    if (!fields) {
        left_ = 0;
        return Error(Errc::corrupt, "a record of the batch at offset " + std::to_string(header_.base_offset.value()) +
                                        " is malformed");
    }
    --left_;
    record_ = fields->record;
    header_bytes_ = fields->headers;
    return true;
}

Result<std::span<const HeaderView>> BatchWalk::headers() {
    headers_.clear();
    if (!take_headers(header_bytes_, headers_)) return Error(Errc::corrupt, "the headers of a record are malformed");
    return std::span<const HeaderView>(headers_);
}

}  // namespace sluice::storage
