// `sluice status` and `sluice reload`: talk to a running agent over its Unix socket.
#include "agent/admin/client.hpp"
#include "agent/admin/status_json.hpp"
#include "agent/cli/data_dir.hpp"
#include "agent/cli/status_view.hpp"
#include "agent/log/rows.hpp"
#include "agent/signals.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

namespace sluice::agent {

namespace {

using Json = nlohmann::ordered_json;
using storage::Errc;

constexpr unsigned kRefusedWhole = 409;
constexpr auto kWatchInterval = std::chrono::seconds(2);
constexpr const char* kTop = "\x1b[H\x1b[J";  // of the terminal, and all below is cleared

/// What can be known without an agent.
int show_directory(const std::string& data_dir, bool json) {
    storage::PosixFileSystem files;
    const auto rows = read_log_rows(files, data_dir);
    if (!rows) return report_failure(rows.error());
    Json all = {{"schema", 1}, {"agent", nullptr}, {"data_dir", data_dir}};
    auto& streams = all["streams"] = Json::array();
    for (const auto& row : rows->rows) {
        Json one = {{"name", row.files.stream},
                    {"log_start_offset", row.start().value()},
                    {"log_end_offset", row.end.value()},
                    {"segments", row.files.segments.size()},
                    {"bytes", row.bytes}};
        one["backlog"] = row.cursors.empty() ? Json(nullptr) : Json(row.end - row.cursors.front().offset);
        streams.push_back(std::move(one));
    }
    if (json) {
        std::cout << admin::dump(all);
        return kExitFailure;
    }
    std::cout << "no agent runs on " << data_dir << "; what its directory tells:\n\n";
    for (const auto& stream : streams) {
        const auto records = stream.at("log_end_offset").get<double>() - stream.at("log_start_offset").get<double>();
        std::cout << "  " << stream.at("name").get<std::string>() << ": " << short_count(records) << " offsets, "
                  << short_size(stream.at("bytes").get<double>());
        if (!stream.at("backlog").is_null()) {
            std::cout << ", " << short_count(stream.at("backlog").get<double>()) << " of them not forwarded";
        }
        std::cout << '\n';
    }
    return kExitFailure;
}

int show(const std::string& data_dir, const StatusArguments& arguments, bool terminal) {
    const auto reply = admin::ask(data_dir, "GET", "/api/v1/status");
    if (!reply && reply.error().kind() == Errc::not_found) return show_directory(data_dir, arguments.json);
    if (!reply) return report_failure(reply.error());
    const auto status = Json::parse(reply->body, nullptr, false);
    if (reply->status != admin::kHttpOk || status.is_discarded()) {
        return report_failure(
            storage::Error(Errc::io, "the agent's answer is not a status; is it of another version?"));
    }
    if (arguments.json) {
        std::cout << reply->body;
    } else {
        try {
            const auto page = status_page(status, terminal && std::getenv("NO_COLOR") == nullptr);
            std::cout << (arguments.watch && terminal ? kTop : "") << page;
        } catch (const Json::exception& /*a key is missing*/) {
            return report_failure(
                storage::Error(Errc::io, "the agent is of another version (--json shows what it says)"));
        }
    }
    std::cout.flush();
    return std::cout ? kExitSuccess : kExitFailure;
}

}  // namespace

int status_command(const StatusArguments& arguments) {
    const auto data_dir = data_dir_of(arguments.log);
    if (!data_dir) return kExitBadConfig;
    const bool terminal = ::isatty(STDOUT_FILENO) == 1;
    if (!arguments.watch) return show(*data_dir, arguments, terminal);
    Signals signals;
    auto next = std::chrono::steady_clock::now();
    int code = kExitSuccess;
    do {
        code = show(*data_dir, arguments, terminal);
        if (!terminal) std::cout << std::endl;
        next += kWatchInterval;
    } while (std::cout && !signals.wait_until(next));
    return code;
}

int reload_command(const LogArguments& arguments) {
    const auto data_dir = data_dir_of(arguments);
    if (!data_dir) return kExitBadConfig;
    const auto reply = admin::ask(*data_dir, "POST", "/api/v1/reload");
    if (!reply) return report_failure(reply.error());
    const auto answer = Json::parse(reply->body, nullptr, false);
    if ((reply->status != admin::kHttpOk && reply->status != kRefusedWhole) || !answer.is_object()) {
        return report_failure(storage::Error(Errc::io, "the agent's answer can't be read; is it of another version?"));
    }
    const auto each = [&](const char* key, const char* before, std::ostream& out) {
        for (const auto& text : answer.value(key, Json::array())) out << before << text.get<std::string>() << '\n';
    };
    each("errors", "", std::cerr);
    if (reply->status != admin::kHttpOk) {
        std::cerr << "nothing is changed\n";
        return kExitFailure;
    }
    std::cout << "users, ACL and certificates are read again\n";
    each("changed", "changed: ", std::cout);
    each("needs_restart", "takes effect after a restart: ", std::cout);
    std::cout.flush();
    return kExitSuccess;
}

int uplink_command(const LogArguments& arguments, bool open) {
    const auto data_dir = data_dir_of(arguments);
    if (!data_dir) return kExitBadConfig;
    const auto reply = admin::ask(*data_dir, "POST", open ? "/api/v1/uplink/resume" : "/api/v1/uplink/pause");
    if (!reply) return report_failure(reply.error());
    if (reply->status != admin::kHttpOk) {
        const auto answer = Json::parse(reply->body, nullptr, false);
        const bool told = answer.is_object() && answer.contains("error");
        return report_failure(
            storage::Error(Errc::io, told ? answer["error"].get<std::string>()
                                          : "the agent's answer can't be read; is it of another version?"));
    }
    std::cout << (open ? "records are sent again\n"
                       : "nothing is sent until sluice uplink resume; everything is kept\n");
    std::cout.flush();
    return kExitSuccess;
}

}  // namespace sluice::agent
