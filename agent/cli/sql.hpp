// sql.hpp: `sluice sql`: its arguments, and what its files share.
#pragma once

#include "agent/cli/commands.hpp"
#include "agent/sql/session.hpp"

#include <memory>
#include <ostream>
#include <string>
#include <string_view>

namespace sluice::agent {

enum class SqlFormat : std::uint8_t { table, csv, json, jsonl };

/// Asks the local log. Without a query: a prompt on a terminal, else what stands on standard input.
struct SqlArguments {
    LogArguments log;
    std::string query;
    std::string format = "table";
};
int sql_command(const SqlArguments& arguments);

/// Prints what a query gives. Nothing that a device has sent can steer a terminal.
class SqlPrinter {
 public:
    virtual ~SqlPrinter() = default;
    virtual void columns(const std::vector<std::string>& names) = 0;
    virtual void row(std::span<const sql::SqlValue> values) = 0;
    virtual void end() = 0;
};
/// @param terminal  whether `to` is one
[[nodiscard]] std::unique_ptr<SqlPrinter> make_sql_printer(SqlFormat format, std::ostream& to, bool terminal);

/// Runs `text` and prints what comes; what is wrong goes to stderr with the place in the query.
/// @return the exit code
int run_sql(sql::SqlSession& session, const std::string& text, SqlFormat format);

/// The prompt, until its end. @return the exit code
int sql_prompt(sql::SqlSession& session, SqlFormat format);

/// "query:1:8: no such column: kei", the line, and a mark below it. One line where no place is known.
[[nodiscard]] std::string explained(const sql::SqlFailure& failure, std::string_view query);

}  // namespace sluice::agent
