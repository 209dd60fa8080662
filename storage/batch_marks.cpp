#include "storage/batch_marks.hpp"

#include "storage/varint.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace sluice::storage {

namespace {

constexpr std::string_view kFromLine = "marks-from ";
constexpr std::string_view kAnyBefore = " any-before";

/// The lower 31 bits, and the next 15.
BatchMark mark_of_bits(std::uint64_t bits) {
    return {static_cast<std::int16_t>((bits >> 31U) & 0x7fffU), static_cast<std::int32_t>(bits & 0x7fffffffU)};
}

BatchMark plain_mark(Offset base_offset) {
    return mark_of_bits(static_cast<std::uint64_t>(base_offset.value()));
}

}  // namespace

BatchMarks BatchMarks::unknown() {
    return after_lost_id(LogId());
}

BatchMarks BatchMarks::after_lost_id(const LogId& id) {
    BatchMarks marks;
    marks.id_ = id;
    marks.any_before_ = true;
    return marks;
}

std::optional<BatchMarks> BatchMarks::parse(std::string_view text) {
    const auto line_end = std::min(text.find('\n'), text.size());
    const auto id = LogId::parse(text.substr(0, line_end));
    if (!id) return std::nullopt;
    BatchMarks marks;
    marks.id_ = *id;
    auto rest = text.substr(std::min(line_end + 1, text.size()));
    if (rest.empty()) return marks;
    std::int64_t from = 0;
    if (!rest.starts_with(kFromLine) || !rest.ends_with('\n')) return std::nullopt;
    rest = rest.substr(kFromLine.size(), rest.size() - kFromLine.size() - 1);
    const auto number = std::from_chars(rest.data(), rest.data() + rest.size(), from);
    rest.remove_prefix(static_cast<std::size_t>(number.ptr - rest.data()));
    if (number.ec != std::errc() || from < 0 || from > kOffsetMax + 1) return std::nullopt;
    if (!rest.empty() && rest != kAnyBefore) return std::nullopt;
    marks.from_ = Offset(from);
    marks.any_before_ = !rest.empty();
    return marks;
}

std::string BatchMarks::to_string() const {
    std::string text = id_.to_string() + "\n";
    text.append(kFromLine).append(std::to_string(from_.value()));
    if (any_before_) text.append(kAnyBefore);
    return text + "\n";
}

BatchMark BatchMarks::of(Offset base_offset) const {
    if (id_ == LogId()) return plain_mark(base_offset);
    std::array<std::byte, sizeof(std::int64_t) + LogId::kBytes> hashed{};
    store_big_endian(hashed.data(), base_offset.value());
    id_.copy_to(std::span(hashed).last<LogId::kBytes>());
    return mark_of_bits(XXH3_64bits(hashed.data(), hashed.size()));
}

bool BatchMarks::fit(Offset base_offset, BatchMark mark, bool has_producer) const {
    const bool without_mark = has_producer || mark.base_sequence == -1;
    if (base_offset > Offset(kOffsetMax)) return without_mark && from_ > Offset(kOffsetMax);
    if (base_offset < from_ && (without_mark || any_before_ || mark == plain_mark(base_offset))) return true;
    return !without_mark && mark == of(base_offset);
}

}  // namespace sluice::storage
