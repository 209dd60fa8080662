#include "agent/rules/record_decoder.hpp"

#include "bridge/payload/timestamp.hpp"
#include "bridge/route/route.hpp"

#include <simdjson.h>

#include <charconv>

namespace sluice::agent {

namespace {

using models::FieldValue;
namespace dom = simdjson::dom;

/// Where all elements are numbers; else it is no value.
FieldValue array_of(const dom::array& array, std::vector<double>& numbers) {
    numbers.clear();
    for (const auto element : array) {
        double number = 0;
        if (element.get_double().get(number) != simdjson::SUCCESS) return {};
        numbers.push_back(number);
    }
    return {FieldValue::Kind::numbers, 0, {}, numbers};
}

FieldValue value_of(const dom::element& element, std::vector<double>& numbers) {
    switch (element.type()) {
        case dom::element_type::DOUBLE:
        case dom::element_type::INT64:
        case dom::element_type::UINT64:
            return {FieldValue::Kind::number, element.get_double().value_unsafe(), {}, {}};
        case dom::element_type::BOOL:
            return {FieldValue::Kind::boolean, element.get_bool().value_unsafe() ? 1.0 : 0.0, {}, {}};
        case dom::element_type::STRING:
            return {FieldValue::Kind::text, 0, element.get_string().value_unsafe(), {}};
        case dom::element_type::ARRAY:
            return array_of(element.get_array().value_unsafe(), numbers);
        default:
            return {};
    }
}

models::Time arrival_of(const storage::RecordView& record) {
    const auto header = storage::find_header(record, bridge::kArrivalHeader);
    if (!header) return record.timestamp;
    std::int64_t delay = 0;
    std::from_chars(header->data(), header->data() + header->size(), delay);
    return record.timestamp + std::chrono::milliseconds(delay);
}

}  // namespace

struct RecordDecoder::Parser {
    dom::parser parser{bridge::kJsonBytesMax + simdjson::SIMDJSON_PADDING};
};

RecordDecoder::RecordDecoder(const models::FieldTable& fields)
    : fields_(fields), parser_(std::make_unique<Parser>()), values_(fields.size()), numbers_(fields.size()) {}

RecordDecoder::~RecordDecoder() = default;

models::RecordView RecordDecoder::decode(const storage::RecordView& record) {
    for (auto& value : values_) value = {};
    if (record.value && !values_.empty()) extract(*record.value);
    return {record.key.value_or(""), record.timestamp, arrival_of(record), record.offset.value(), values_};
}

void RecordDecoder::extract(std::string_view payload) {
    dom::element document;
    if (payload.size() > bridge::kJsonBytesMax ||
        parser_->parser.parse(payload.data(), payload.size()).get(document) != simdjson::SUCCESS) {
        ++undecodable_;
        return;
    }
    const auto& paths = fields_.paths();
    for (std::size_t slot = 0; slot < paths.size(); ++slot) {
        dom::element found;
        if (document.at_pointer(paths[slot]).get(found) == simdjson::SUCCESS) {
            values_[slot] = value_of(found, numbers_[slot]);
        }
    }
}

}  // namespace sluice::agent
