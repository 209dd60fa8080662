#include "agent/cli/sql.hpp"
#include "agent/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace sluice::agent {

namespace {

using nlohmann::ordered_json;
using sql::SqlValue;
using Kind = SqlValue::Kind;

constexpr std::size_t kRowsMeasured = 500;  // for the widths of columns; what is wider later sticks out

std::string shown(const SqlValue& value) {
    switch (value.kind) {
        case Kind::null:
            return "";
        case Kind::integer:
            return std::to_string(value.integer);
        case Kind::real:
            return number_text(value.real);
        case Kind::text:
            return std::string(value.bytes);
        case Kind::blob:
            return "base64:" + base64(value.bytes);
    }
    return "";
}

/// Characters, as a terminal counts most of them.
std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

class TablePrinter final : public SqlPrinter {
 public:
    explicit TablePrinter(std::ostream& to) : to_(to) {}

    void columns(const std::vector<std::string>& names) override {
        end();
        std::vector<Cell> head;
        for (const auto& name : names) head.push_back({one_line(name), false});
        widths_.assign(names.size(), 0);
        rows_.push_back(std::move(head));
        printing_ = false;
    }
    void row(std::span<const SqlValue> values) override {
        std::vector<Cell> cells;
        for (const auto& value : values) {
            cells.push_back({value.kind == Kind::null ? "null" : one_line(shown(value)),
                             value.kind == Kind::integer || value.kind == Kind::real});
        }
        if (printing_) {
            print(cells);
        } else {
            rows_.push_back(std::move(cells));
            if (rows_.size() > kRowsMeasured) print_measured();
        }
    }
    void end() override {
        if (!printing_ && !rows_.empty()) print_measured();
        printing_ = true;
    }

 private:
    struct Cell {
        std::string text;
        bool right;
    };
    void print_measured() {
        for (const auto& cells : rows_) {
            for (std::size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], width(cells[i].text));
        }
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            print(rows_[i]);
            if (i > 0) continue;
            std::string line;
            for (const auto each : widths_) line += (line.empty() ? "" : "  ") + std::string(each, '-');
            to_ << line << '\n';
        }
        rows_.clear();
        printing_ = true;
    }
    void print(const std::vector<Cell>& cells) {
        std::string line;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const auto has = width(cells[i].text);
            const std::string space(has < widths_[i] ? widths_[i] - has : 0, ' ');
            line += (i == 0 ? "" : "  ") + (cells[i].right ? space + cells[i].text : cells[i].text + space);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        to_ << line << '\n';
    }

    std::ostream& to_;
    std::vector<std::vector<Cell>> rows_;
    std::vector<std::size_t> widths_;
    bool printing_ = true;
};

/// RFC 4180, but for line ends.
class CsvPrinter final : public SqlPrinter {
 public:
    CsvPrinter(std::ostream& to, bool terminal) : to_(to), terminal_(terminal) {}

    void columns(const std::vector<std::string>& names) override {
        std::string line;
        for (const auto& name : names) add(line, name);
        print(line);
    }
    void row(std::span<const SqlValue> values) override {
        std::string line;
        for (const auto& value : values) add(line, shown(value));
        print(line);
    }
    void end() override {}

 private:
    void add(std::string& line, const std::string& value) const {
        line += ',';
        const auto safe = terminal_ ? one_line(value) : value;
        if (safe.find_first_of(",\"\r\n") == std::string::npos) {
            line += safe;
            return;
        }
        line += '"';
        for (const char c : safe) line.append(c == '"' ? 2 : 1, c);
        line += '"';
    }
    void print(const std::string& line) { to_ << std::string_view(line).substr(line.empty() ? 0 : 1) << '\n'; }

    std::ostream& to_;
    const bool terminal_;
};

class JsonPrinter final : public SqlPrinter {
 public:
    JsonPrinter(std::ostream& to, bool terminal, bool lines) : to_(to), terminal_(terminal), lines_(lines) {}

    void columns(const std::vector<std::string>& names) override {
        end();
        names_ = names;
        open_ = !lines_;
        if (open_) to_ << '[';
        first_ = true;
    }
    void row(std::span<const SqlValue> values) override {
        ordered_json object;
        for (std::size_t i = 0; i < values.size(); ++i) put(object, names_[i], values[i]);
        const auto text = object.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
        if (!lines_) to_ << (first_ ? "\n" : ",\n");
        to_ << (terminal_ ? json_for_terminal(text) : text);
        if (lines_) to_ << '\n';
        first_ = false;
    }
    void end() override {
        if (open_) to_ << (first_ ? "]\n" : "\n]\n");
        open_ = false;
    }

 private:
    static void put(ordered_json& object, const std::string& name, const SqlValue& value) {
        switch (value.kind) {
            case Kind::null:
                object[name] = nullptr;
                break;
            case Kind::integer:
                object[name] = value.integer;
                break;
            case Kind::real:
                object[name] = value.real;
                break;
            case Kind::text:
                object[name] = value.bytes;
                break;
            case Kind::blob:
                object[name + "_base64"] = base64(value.bytes);
        }
    }

    std::ostream& to_;
    const bool terminal_;
    const bool lines_;
    std::vector<std::string> names_;
    bool open_ = false;
    bool first_ = true;
};

}  // namespace

std::unique_ptr<SqlPrinter> make_sql_printer(SqlFormat format, std::ostream& to, bool terminal) {
    switch (format) {
        case SqlFormat::csv:
            return std::make_unique<CsvPrinter>(to, terminal);
        case SqlFormat::json:
            return std::make_unique<JsonPrinter>(to, terminal, false);
        case SqlFormat::jsonl:
            return std::make_unique<JsonPrinter>(to, terminal, true);
        case SqlFormat::table:
            break;
    }
    return std::make_unique<TablePrinter>(to);
}

}  // namespace sluice::agent
