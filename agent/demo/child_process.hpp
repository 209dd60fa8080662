// child_process.hpp: a process of the demo's own, that can't outlive it.
//
// The child is in a process group of its own, so that Ctrl-C reaches only the demo, which then ends its children in
// order; should the demo be killed, the kernel ends them.
#pragma once

#include "storage/result.hpp"

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace sluice::agent::demo {

class ChildProcess {
 public:
    /// Runs a program, looked for in PATH and in the sbin directories, with its output in `output_file`.
    [[nodiscard]] static storage::Result<ChildProcess> run(const std::vector<std::string>& command,
                                                           const std::string& output_file);
    /// Runs `body` in a copy of this process, which must have one thread only; its result is the exit status.
    [[nodiscard]] static storage::Result<ChildProcess> fork(const std::function<int()>& body);

    ChildProcess(ChildProcess&& other) noexcept;
    ChildProcess& operator=(ChildProcess&&) = delete;
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;
    ~ChildProcess() { stop(); }

    [[nodiscard]] bool is_running();
    /// SIGTERM, and SIGKILL where that doesn't help within `patience`. Returns when the process has ended.
    void stop(std::chrono::milliseconds patience = std::chrono::seconds(10));
    /// SIGKILL, to what it has started too. Returns when the process has ended.
    void kill();

 private:
    explicit ChildProcess(pid_t pid) : pid_(pid) {}
    pid_t pid_;  // -1: ended and waited for
};

}  // namespace sluice::agent::demo
