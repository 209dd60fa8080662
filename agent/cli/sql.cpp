// `sluice sql`: SQL over the local log, whether an agent runs or not.
#include "agent/cli/sql.hpp"

#include "agent/admin/client.hpp"
#include "agent/cli/data_dir.hpp"
#include "agent/text.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <iterator>

namespace sluice::agent {

namespace {

using storage::Errc;
using storage::Error;

std::atomic<sql::SqlSession*> running{nullptr};

/// Ctrl-C ends the query.
void on_interrupt(int /*signal*/) {
    if (auto* const session = running.load()) session->cancel();
}

std::uint64_t memory_bytes() {
    return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

storage::Result<std::string> devices_of_agent(const std::string& data_dir) {
    auto reply = admin::ask(data_dir, "GET", "/api/v1/devices");
    if (!reply) return reply.error();
    if (reply->status != admin::kHttpOk)
        return Error(Errc::io, "the agent doesn't tell its devices; is it of another version?");
    return std::move(reply->body);
}

std::optional<SqlFormat> format_of(const std::string& name) {
    if (name == "table") return SqlFormat::table;
    if (name == "csv") return SqlFormat::csv;
    if (name == "json") return SqlFormat::json;
    if (name == "jsonl") return SqlFormat::jsonl;
    return std::nullopt;
}

}  // namespace

std::string explained(const sql::SqlFailure& failure, std::string_view query) {
    if (!failure.at || *failure.at > query.size()) return one_line(failure.message) + "\n";
    const auto before = query.substr(0, *failure.at);
    const auto line_at = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    const auto line = query.substr(line_at, query.find('\n', line_at) - line_at);
    const auto indent = one_line(query.substr(line_at, *failure.at - line_at));
    return "query:" + std::to_string(std::count(before.begin(), before.end(), '\n') + 1) + ":" +
           std::to_string(*failure.at - line_at + 1) + ": " + one_line(failure.message) + "\n  " + one_line(line) +
           "\n  " + std::string(indent.size(), ' ') + "^\n";
}

int run_sql(sql::SqlSession& session, const std::string& text, SqlFormat format) {
    auto printer = make_sql_printer(format, std::cout, ::isatty(STDOUT_FILENO) == 1);
    sql::SqlSink sink;
    sink.columns = [&](const std::vector<std::string>& names) { printer->columns(names); };
    sink.row = [&](std::span<const sql::SqlValue> values) {
        printer->row(values);
        return std::cout.good();
    };
    sql::SqlLimits limits;
    limits.memory_bytes = memory_bytes() / 2;
    sql::SqlDone done;
    running = &session;
    const auto failure = session.run(text, limits, sink, done);
    running = nullptr;
    printer->end();
    std::cout.flush();
    if (failure) std::cerr << explained(*failure, text);
    if (failure && failure->kind == sql::SqlFailure::Kind::cancelled) return kExitInterrupted;
    if (done.scanned.damaged > 0) {
        std::cerr << done.scanned.damaged << " places in the log are damaged and were passed over (sluice log verify "
                  << "tells where)\n";
    }
    return failure || done.scanned.damaged > 0 || !std::cout ? kExitFailure : kExitSuccess;
}

int sql_command(const SqlArguments& arguments) {
    const auto format = format_of(arguments.format);
    if (!format) {
        std::cerr << "--format " << arguments.format << " is none (write table, csv, json or jsonl)\n";
        return kExitUsage;
    }
    const auto data_dir = data_dir_of(arguments.log);
    if (!data_dir) return kExitBadConfig;
    storage::PosixFileSystem files;
    sql::SqlSource source;
    source.data_dir = *data_dir;
    source.devices = [directory = *data_dir] { return devices_of_agent(directory); };
    const auto session = sql::SqlSession::open(files, std::move(source));
    if (!session) return report_failure(session.error());
    struct sigaction action {};
    action.sa_handler = on_interrupt;  // without SA_RESTART: reading a line ends too
    ::sigaction(SIGINT, &action, nullptr);
    if (!arguments.query.empty()) return run_sql(**session, arguments.query, *format);
    if (::isatty(STDIN_FILENO) == 1) return sql_prompt(**session, *format);
    return run_sql(**session, std::string(std::istreambuf_iterator<char>(std::cin), {}), *format);
}

}  // namespace sluice::agent
