// rule_input.hpp: records for rules from files: a stream of the local log, CSV, or JSON lines. Only reads.
#pragma once

#include "storage/record.hpp"
#include "storage/result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace sluice::agent {

using OnRecord = std::function<void(const storage::RecordView&)>;

/// Which columns or fields of a file are what.
struct RuleFileOptions {
    std::string path;
    std::string time;    ///< empty: timestamp, ts or time, whichever there is
    std::string device;  ///< the record's key; empty: device, where there is one
};

/// A CSV file with a header, by the ending .csv; else JSON lines: payloads, or what `sluice log cat --json` prints.
/// Records have the offsets 0, 1, 2 … unless the file tells them, and arrive at their time.
/// @return an error that names the line
[[nodiscard]] storage::Result<void> read_rule_file(const RuleFileOptions& options, const OnRecord& on_record);

/// What may be told of the log besides its records.
using OnTrouble = std::function<void(const std::string& what)>;

/// A stream below a data directory, whether an agent runs or not.
/// @param from  the first offset
/// @param to    the last one; nullopt: the end
[[nodiscard]] storage::Result<void> read_rule_stream(const std::string& data_dir, const std::string& stream,
                                                     std::int64_t from, std::optional<std::int64_t> to,
                                                     const OnRecord& on_record, const OnTrouble& on_trouble);

}  // namespace sluice::agent
