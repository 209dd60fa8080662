#include "agent/demo/page.hpp"

#include "agent/admin/rules_json.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace sluice::agent::demo {

std::string page_configuration(int port, const std::string& stream) {
    return "\n[admin]\nbind = \"127.0.0.1:" + std::to_string(port) +
           "\"\n\n[[rule]]\nname = \"worn-bearing\"\nstream = \"" + stream +
           "\"\nexpr = \"avg(vibration, 2s) > 4.5\"\nseverity = \"warning\"\n" +
           "message = \"{device} vibrates with {value} mm/s: its bearing wears out\"\n";
}

storage::Result<std::unique_ptr<admin::Admin>> start_page(const Config& config, Supervisor& agent,
                                                          const bridge::Report& report) {
    return admin::Admin::start(
        config.admin, config.data_dir,
        {[&agent] { return agent.snapshot(); },
         [&agent] { return agent.devices(); },
         [&agent] { return agent.alerts(); },
         [] {
             return ReloadAnswer{false, {"the demo's configuration doesn't change"}, {}, {}};
         },
         [&agent](bool open) { return open ? agent.resume_uplink() : agent.pause_uplink("by command"); },
         [rules = admin::rules_json(config.rules)] { return rules; },
         {config.data_dir, [&agent](const std::string& stream) { return agent.find_log(stream); }}},
        report);
}

void open_browser(const std::string& url) {
    if (::getenv("DISPLAY") == nullptr && ::getenv("WAYLAND_DISPLAY") == nullptr) return;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        ::posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);  // we block signals, and a browser must not
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    std::string program = "xdg-open";
    std::string address = url;
    const std::array<char*, 3> words{program.data(), address.data(), nullptr};
    pid_t pid = 0;
    static_cast<void>(::posix_spawnp(&pid, program.c_str(), &files, &attributes, words.data(), environ));
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&files);
}

}  // namespace sluice::agent::demo
