// csv.hpp: CSV files with a header line (RFC 4180), read row by row and strictly; and written.
//
// Every error is "file:line:column: what is wrong (what to do)". A field may be quoted, but ends on its line.
#pragma once

#include "storage/result.hpp"

#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::agent {

class CsvReader {
 public:
    /// Opens `path` and reads its header. @return an error too where two columns have the same name
    static storage::Result<CsvReader> open(const std::string& path);

    [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
    /// Where the column called `name` is; the error names the nearest one.
    [[nodiscard]] storage::Result<std::size_t> column(std::string_view name) const;

    /// Goes to the next row. @return false at the end
    storage::Result<bool> next();
    [[nodiscard]] const std::string& text(std::size_t column) const { return fields_[column]; }
    /// A finite number.
    [[nodiscard]] storage::Result<double> number(std::size_t column) const;
    /// A finite number, or NaN where the field is empty.
    [[nodiscard]] storage::Result<double> number_or_missing(std::size_t column) const;
    /// Seconds since 1970: of a time as RFC 3339 has it, without a zone taken as UTC, or of a number of seconds or,
    /// from 10^11 on, milliseconds.
    [[nodiscard]] storage::Result<double> seconds(std::size_t column) const;

    /// What is wrong with a field of this row.
    [[nodiscard]] storage::Error wrong(std::size_t column, std::string_view what, std::string_view todo) const;

 private:
    storage::Result<bool> read_fields();
    [[nodiscard]] storage::Error wrong_at(std::size_t column_in_line, std::string_view what,
                                          std::string_view todo) const;

    std::string path_;
    std::ifstream file_;
    std::vector<std::string> columns_, fields_;
    std::vector<std::size_t> starts_;  ///< of the fields in the line, in bytes from 1
    std::uint32_t line_ = 0;
};

/// Writes beside `path` and takes its place at the end, so that there is never half a file.
class CsvWriter {
 public:
    static storage::Result<CsvWriter> create(const std::string& path);
    CsvWriter(CsvWriter&&) = default;
    CsvWriter& operator=(CsvWriter&&) = delete;
    ~CsvWriter();

    CsvWriter& field(std::string_view text);
    CsvWriter& field(double number);  ///< the shortest text that reads as the same number
    void end_row();
    storage::Result<void> finish();

 private:
    explicit CsvWriter(std::string path);

    std::string path_, beside_;
    std::ofstream file_;
    bool first_ = true;
};

}  // namespace sluice::agent
