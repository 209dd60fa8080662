// record_view.hpp: what a rule sees of a record.
//
// Why slots: rules name a few fields of a payload that may have hundreds. The programs of a rule set intern the paths
// they read in one FieldTable; a decoder extracts those and no others, once for all rules, and fills `fields` by their
// index. Invariants
//   - nothing is owned: a view lives as long as the payload and the decoder's scratch memory.
//   - a path keeps its slot for as long as the table lives.
#pragma once

#include "models/time.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice::models {

/// A value as the payload has it. `missing` is also what JSON's null and a nested object are.
struct FieldValue {
    enum class Kind : std::uint8_t { missing, number, boolean, text, numbers };
    Kind kind = Kind::missing;
    double number = 0;                ///< of a number; 0 or 1 of a boolean
    std::string_view text;            ///< of a text, unescaped
    std::span<const double> numbers;  ///< of an array of numbers
};

struct RecordView {
    std::string_view key;           ///< the record's key, which is the device where a rule has no `by`
    std::optional<Time> timestamp;  ///< when it was measured; nullopt where the record doesn't say
    Time arrival;                   ///< when the gateway took it; never falls by more than clocks are set back
    std::int64_t offset = 0;        ///< in the stream; rises from record to record
    std::span<const FieldValue>
        fields;  ///< as many as the FieldTable has paths; more or fewer are an error of the caller
};

/// The paths that a set of programs reads. A path is a JSON pointer (RFC 6901): "/motor/phases/0/current".
class FieldTable {
 public:
    /// The slot of `pointer`, which it gets now where it has none.
    std::size_t slot(std::string_view pointer) {
        const auto [at, added] = slots_.try_emplace(std::string(pointer), paths_.size());
        if (added) paths_.push_back(at->first);
        return at->second;
    }
    [[nodiscard]] const std::vector<std::string>& paths() const { return paths_; }
    [[nodiscard]] std::size_t size() const { return paths_.size(); }

 private:
    std::unordered_map<std::string, std::size_t> slots_;
    std::vector<std::string> paths_;
};

}  // namespace sluice::models
