// `sluice devices`: who sends, how often, when last and what, of a running agent.
#include "agent/admin/client.hpp"
#include "agent/cli/data_dir.hpp"
#include "agent/cli/status_view.hpp"

#include <nlohmann/json.hpp>

#include <iostream>

namespace sluice::agent {

namespace {

using Json = nlohmann::ordered_json;
using storage::Errc;
using storage::Error;

bool is_wanted(const Json& device, const DevicesArguments& arguments) {
    return (arguments.stream.empty() || device.at("stream") == arguments.stream) &&
           device.at("silent_seconds").get<double>() >= arguments.silent_seconds;
}

}  // namespace

int devices_command(const DevicesArguments& arguments) {
    const auto data_dir = data_dir_of(arguments.log);
    if (!data_dir) return kExitBadConfig;
    const auto reply = admin::ask(*data_dir, "GET", "/api/v1/devices");
    if (!reply) return report_failure(reply.error());
    const auto all = Json::parse(reply->body, nullptr, false);
    if (reply->status != admin::kHttpOk || !all.is_array()) {
        return report_failure(Error(Errc::io, "the agent's answer is no list of devices; is it of another version?"));
    }
    auto wanted = Json::array();
    try {
        for (const auto& device : all) {
            if (is_wanted(device, arguments)) wanted.push_back(device);
        }
        if (arguments.json) {
            for (const auto& device : wanted) {
                std::cout << device.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
            }
        } else {
            std::cout << devices_page(wanted);
        }
    } catch (const Json::exception& /*a key is missing*/) {
        return report_failure(Error(Errc::io, "the agent is of another version (--json shows what it says)"));
    }
    std::cout.flush();
    return std::cout ? kExitSuccess : kExitFailure;
}

}  // namespace sluice::agent
