#include "agent/demo/child_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>
#include <utility>

namespace sluice::agent::demo {

namespace {

void become_child(pid_t parent) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(1);  // the parent ended before it could be watched
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

storage::Error fork_failed() {
    return storage::Error::from_errno(errno, "start", "a process");
}

}  // namespace

storage::Result<ChildProcess> ChildProcess::run(const std::vector<std::string>& command,
                                                const std::string& output_file) {
    // All that allocates happens before the fork: another thread may hold the allocator's lock.
    std::vector<char*> arguments;
    for (const auto& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const char* path = std::getenv("PATH");
    const std::string search = std::string("PATH=") + (path != nullptr ? path : "/usr/bin:/bin") +
                               ":/usr/local/sbin:/usr/sbin:/sbin";  // daemons live there, and users' PATH lacks it
    const auto parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return fork_failed();
    if (pid == 0) {
        become_child(parent);
        const int out = ::open(output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0640);
        const int in = ::open("/dev/null", O_RDONLY);
        if (out < 0 || in < 0 || ::dup2(in, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(out, 2) < 0) ::_exit(126);
        ::putenv(const_cast<char*>(search.c_str()));
        ::execvp(arguments[0], arguments.data());
        ::_exit(127);
    }
    return ChildProcess(pid);
}

storage::Result<ChildProcess> ChildProcess::fork(const std::function<int()>& body) {
    const auto parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return fork_failed();
    if (pid == 0) {
        become_child(parent);
        ::_exit(body());
    }
    return ChildProcess(pid);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

bool ChildProcess::is_running() {
    if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
    return pid_ > 0;
}

void ChildProcess::kill() {
    if (!is_running()) return;
    ::kill(-pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
}

void ChildProcess::stop(std::chrono::milliseconds patience) {
    if (!is_running()) return;
    ::kill(pid_, SIGTERM);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (is_running()) {
        if (std::chrono::steady_clock::now() > deadline) ::kill(pid_, SIGKILL);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

}  // namespace sluice::agent::demo
