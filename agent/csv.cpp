#include "agent/csv.hpp"

#include "agent/config_diagnostic.hpp"
#include "agent/config_names.hpp"
#include "bridge/payload/timestamp.hpp"
#include "models/nearest_name.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>

namespace sluice::agent {

namespace {

using storage::Errc;
using storage::Error;
using storage::Result;

constexpr double kMillisecondsFrom = 1e11;  // as seconds that were the year 5138
constexpr std::size_t kLineBytesMax = 1U << 20U;

std::optional<double> parse_number(std::string_view text) {
    double number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || !std::isfinite(number)) return {};
    return number;
}

std::string list_of(const std::vector<std::string>& names) {
    std::string list;
    for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
    return list;
}

}  // namespace

Result<CsvReader> CsvReader::open(const std::string& path) {
    CsvReader reader;
    reader.path_ = path;
    errno = 0;
    reader.file_.open(path);
    if (!reader.file_) return Error::from_errno(errno, "open", path);
    const auto read = reader.read_fields();
    if (!read) return read.error();
    if (!*read) return reader.wrong_at(1, "no header line", "the first line names the columns");
    reader.columns_ = reader.fields_;
    for (std::size_t i = 0; i < reader.columns_.size(); i++) {
        for (std::size_t j = 0; j < i; j++) {
            if (reader.columns_[i] != reader.columns_[j]) continue;
            return reader.wrong(i, "a second column " + in_quotes(reader.columns_[i]), "rename one of them");
        }
    }
    return reader;
}

Result<std::size_t> CsvReader::column(std::string_view name) const {
    for (std::size_t i = 0; i < columns_.size(); i++) {
        if (columns_[i] == name) return i;
    }
    const auto near = models::nearest_name(name, columns_);
    Place place{path_, 1, 1};
    return Error(Errc::invalid,
                 to_string(Diagnostic{place, "no column " + in_quotes(name),
                                      near ? "did you mean " + *near + "?" : "there are " + list_of(columns_)}));
}

Result<bool> CsvReader::next() {
    auto read = read_fields();
    if (!read || !*read) return read;
    if (fields_.size() == columns_.size()) return true;
    const auto at = fields_.size() > columns_.size() ? starts_[columns_.size()] : starts_.back();
    return wrong_at(at, std::to_string(fields_.size()) + " fields",
                    "the header has " + std::to_string(columns_.size()));
}

Result<bool> CsvReader::read_fields() {
    std::string line;
    fields_.clear();
    starts_.clear();
    if (!std::getline(file_, line)) {
        if (file_.bad()) return Error::from_errno(EIO, "read", path_);
        line_ = std::max(line_, 1U);
        return false;
    }
    line_++;
    if (line_ == 1 && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);  // Excel's mark of UTF-8
    if (line.ends_with('\r')) line.pop_back();
    if (line.size() > kLineBytesMax) return wrong_at(kLineBytesMax, "a line of more than 1 MiB", "is it a CSV file?");
    std::size_t at = 0;
    for (;;) {
        starts_.push_back(at + 1);
        auto& field = fields_.emplace_back();
        if (at < line.size() && line[at] == '"') {
            for (at++;; at++) {
                if (at >= line.size())
                    return wrong_at(starts_.back(), "a quote without its end", "add \" to the field");
                if (line[at] == '"' && (at + 1 >= line.size() || line[at + 1] != '"')) break;
                if (line[at] == '"') at++;
                field += line[at];
            }
            at++;
            if (at < line.size() && line[at] != ',')
                return wrong_at(at + 1, "text after a quoted field", "add a comma");
        } else {
            const auto end = std::min(line.find(',', at), line.size());
            field = line.substr(at, end - at);
            at = end;
        }
        if (at >= line.size()) return true;
        at++;
    }
}

Result<double> CsvReader::number(std::size_t column) const {
    if (const auto number = parse_number(fields_[column])) return *number;
    return wrong(column, in_quotes(fields_[column]) + " is not a number", "write it as 20.5 or 2.05e1");
}

Result<double> CsvReader::number_or_missing(std::size_t column) const {
    if (fields_[column].empty()) return std::numeric_limits<double>::quiet_NaN();
    return number(column);
}

Result<double> CsvReader::seconds(std::size_t column) const {
    const auto& text = fields_[column];
    if (const auto number = parse_number(text)) {
        return std::fabs(*number) < kMillisecondsFrom ? *number : *number / 1000;
    }
    auto time = bridge::parse_rfc3339(text);
    if (!time) time = bridge::parse_rfc3339(text + "Z");
    if (!time) return wrong(column, in_quotes(text) + " is not a time", "write it as 2026-01-31T23:59:00Z");
    return static_cast<double>(time->time_since_epoch().count()) / 1000;
}

Error CsvReader::wrong(std::size_t column, std::string_view what, std::string_view todo) const {
    return wrong_at(starts_[column], what, todo);
}

Error CsvReader::wrong_at(std::size_t column_in_line, std::string_view what, std::string_view todo) const {
    Place place{path_, line_, static_cast<std::uint32_t>(column_in_line)};
    return {Errc::invalid, to_string(Diagnostic{place, std::string(what), std::string(todo)})};
}

CsvWriter::CsvWriter(std::string path) : path_(std::move(path)), beside_(path_ + ".part") {}

Result<CsvWriter> CsvWriter::create(const std::string& path) {
    CsvWriter writer(path);
    errno = 0;
    writer.file_.open(writer.beside_, std::ios::binary | std::ios::trunc);
    if (!writer.file_) return Error::from_errno(errno, "create", path);
    return writer;
}

CsvWriter::~CsvWriter() {
    if (!file_.is_open()) return;
    std::error_code ignored;
    std::filesystem::remove(beside_, ignored);
}

CsvWriter& CsvWriter::field(std::string_view text) {
    if (!first_) file_.put(',');
    first_ = false;
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
        file_ << text;
        return *this;
    }
    file_.put('"');
    for (const char c : text) {
        if (c == '"') file_.put('"');
        file_.put(c);
    }
    file_.put('"');
    return *this;
}

CsvWriter& CsvWriter::field(double number) {
    std::array<char, 32> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
    return field(std::string_view(text.data(), end));
}

void CsvWriter::end_row() {
    file_.put('\n');
    first_ = true;
}

Result<void> CsvWriter::finish() {
    errno = 0;
    file_.flush();
    if (!file_) return Error::from_errno(errno, "write", beside_);
    std::error_code failed;
    std::filesystem::rename(beside_, path_, failed);
    if (failed) return Error::from_errno(failed.value(), "rename", beside_);
    file_.close();
    return {};
}

}  // namespace sluice::agent
