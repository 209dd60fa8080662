// page.hpp: the agent's page beside the demo, and a browser that shows it.
#pragma once

#include "agent/admin/admin.hpp"
#include "agent/config.hpp"
#include "agent/supervisor.hpp"
#include "storage/result.hpp"

#include <memory>
#include <string>

namespace sluice::agent::demo {

/// What the configuration has for it: where it listens, and a rule, so that there is an alert to see.
[[nodiscard]] std::string page_configuration(int port, const std::string& stream);

/// @param agent  outlives it
[[nodiscard]] storage::Result<std::unique_ptr<admin::Admin>> start_page(const Config& config, Supervisor& agent,
                                                                        const bridge::Report& report);

/// The desktop's browser; nothing where there is no desktop. It goes on when we end.
void open_browser(const std::string& url);

}  // namespace sluice::agent::demo
