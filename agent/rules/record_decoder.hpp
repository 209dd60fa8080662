// record_decoder.hpp: from a record of the log to what rules see of it: the fields that they name, out of its JSON.
//
// One document is parsed once for all rules of a stream. A payload that is no JSON has no fields: it still says that
// its device is there.
#pragma once

#include "models/record_view.hpp"
#include "storage/record.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::agent {

/// One thread.
class RecordDecoder {
 public:
    /// @param fields  what the rules read; complete, and there as long as the decoder
    explicit RecordDecoder(const models::FieldTable& fields);
    ~RecordDecoder();
    RecordDecoder(const RecordDecoder&) = delete;
    RecordDecoder& operator=(const RecordDecoder&) = delete;

    /// The view is valid until the next call, and as long as `record`. Its arrival is what the log says of it, or its
    /// timestamp (bridge::kArrivalHeader).
    [[nodiscard]] models::RecordView decode(const storage::RecordView& record);

    /// Payloads that were no JSON.
    [[nodiscard]] std::uint64_t undecodable() const { return undecodable_; }

 private:
    struct Parser;
    void extract(std::string_view payload);

    const models::FieldTable& fields_;
    std::unique_ptr<Parser> parser_;
    std::vector<models::FieldValue> values_;
    std::vector<std::vector<double>> numbers_;  // of the arrays, by slot
    std::uint64_t undecodable_ = 0;
};

}  // namespace sluice::agent
