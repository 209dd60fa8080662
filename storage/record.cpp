#include "storage/record.hpp"

#include <algorithm>

namespace sluice::storage {

std::size_t Record::size_bytes() const {
    constexpr std::size_t kFramingBytes = 16;  // lengths, deltas, attributes
    std::size_t bytes = kFramingBytes;
    if (key) bytes += key->size();
    if (value) bytes += value->size();
    for (const auto& header : headers) bytes += header.key.size() + (header.value ? header.value->size() : 0) + 2;
    return bytes;
}

Record RecordView::to_record() const {
    Record record;
    if (key) record.key.emplace(*key);
    if (value) record.value.emplace(*value);
    record.headers.reserve(headers.size());
    for (const auto& header : headers) {
        record.headers.push_back({std::string(header.key), std::nullopt});
        if (header.value) record.headers.back().value.emplace(*header.value);
    }
    record.timestamp = timestamp;
    return record;
}

std::optional<std::string_view> find_header(const RecordView& record, std::string_view key) {
    const auto found = std::find_if(record.headers.begin(), record.headers.end(),
                                    [&](const HeaderView& header) { return header.key == key; });
    return found == record.headers.end() ? std::nullopt : found->value;
}

}  // namespace sluice::storage
