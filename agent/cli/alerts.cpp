// `sluice alerts`: what fires now and what came about last, of a running agent or of its log.
#include "agent/admin/client.hpp"
#include "agent/cli/data_dir.hpp"
#include "agent/cli/status_view.hpp"
#include "agent/config.hpp"
#include "agent/rules/alert_book.hpp"
#include "agent/rules/rule_input.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <iostream>

namespace sluice::agent {

namespace {

using Json = nlohmann::ordered_json;
using storage::Errc;
using storage::Error;
using storage::Result;

constexpr unsigned kGood = 200;

/// What the log of alerts says, from its beginning: what fires for longer than it is kept is not in it.
Result<Json> from_directory(const std::string& data_dir) {
    AlertBook book;
    const auto done = read_rule_stream(
        data_dir, kAlertsStream, 0, std::nullopt,
        [&](const storage::RecordView& record) { book.note(std::string(record.value.value_or(""))); },
        [](const std::string& what) { std::cerr << what << " (skipped)\n"; });
    if (!done) return done.error();
    return book.json();
}

Result<Json> alerts_of(const std::string& data_dir) {
    const auto reply = admin::ask(data_dir, "GET", "/api/v1/alerts");
    if (!reply && reply.error().kind() == Errc::not_found) {
        std::cerr << "no agent runs on " << data_dir << "; this is what its log of alerts tells\n";
        return from_directory(data_dir);
    }
    if (!reply) return reply.error();
    auto all = Json::parse(reply->body, nullptr, false);
    if (reply->status != kGood || !all.is_object() || !all.contains("firing") || !all.contains("recent")) {
        return Error(Errc::io, "the agent's answer has no alerts; is it of another version?");
    }
    return all;
}

}  // namespace

int alerts_command(const AlertsArguments& arguments) {
    const auto data_dir = data_dir_of(arguments.log);
    if (!data_dir) return kExitBadConfig;
    const auto all = alerts_of(*data_dir);
    if (!all) return report_failure(all.error());
    const auto& wanted = all->at(arguments.all ? "recent" : "firing");
    try {
        if (arguments.json) {
            for (const auto& alert : wanted) {
                std::cout << alert.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
            }
        } else {
            std::cout << alerts_page(wanted);
        }
    } catch (const Json::exception& /*a key is missing*/) {
        return report_failure(Error(Errc::io, "the agent is of another version (--json shows what it says)"));
    }
    std::cout.flush();
    return std::cout ? kExitSuccess : kExitFailure;
}

}  // namespace sluice::agent
