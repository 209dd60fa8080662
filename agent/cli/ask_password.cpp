#include "agent/cli/ask_password.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <iostream>
#include <optional>

namespace sluice::agent {

using storage::Errc;
using storage::Error;
using storage::Result;

namespace {

constexpr std::size_t kPasswordBytesMax = 65'535;  // as MQTT

/// Nothing that is typed is shown, and no signal from the keyboard ends or stops the process, for as long as it lives:
/// they would leave the terminal like that.
class HiddenTyping {
 public:
    HiddenTyping() {
        sigset_t signals;
        sigemptyset(&signals);
        for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&signals, each);
        signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC);
        sigaddset(&signals, SIGTSTP);  // comes when the terminal is itself again
        pthread_sigmask(SIG_BLOCK, &signals, &old_signals_);
        hidden_ = ::tcgetattr(STDIN_FILENO, &old_) == 0;
        if (!hidden_) return;
        auto settings = old_;
        settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        settings.c_lflag |= ECHONL;
        hidden_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings) == 0;
    }
    ~HiddenTyping() {
        if (hidden_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &old_);
        if (signals_ >= 0) ::close(signals_);
        pthread_sigmask(SIG_SETMASK, &old_signals_, nullptr);
    }
    HiddenTyping(const HiddenTyping&) = delete;
    HiddenTyping& operator=(const HiddenTyping&) = delete;

    [[nodiscard]] bool is_ready() const { return hidden_ && signals_ >= 0; }

    /// Waits until there is something to read. @return false: a signal came first
    [[nodiscard]] bool wait() const {
        pollfd both[] = {{signals_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
        while (::poll(both, 2, -1) < 0 && errno == EINTR) {
        }
        if (both[0].revents == 0) return true;
        take_signal();
        return false;
    }

 private:
    /// So that it doesn't come again, and end the process in its own way, when signals are let through again.
    void take_signal() const {
        signalfd_siginfo info{};
        static_cast<void>(::read(signals_, &info, sizeof(info)));
    }

    int signals_ = -1;
    sigset_t old_signals_{};
    termios old_{};
    bool hidden_ = false;
};

Error invalid(const char* what) {
    return {Errc::invalid, what};
}

/// Reads up to the end of the line, byte by byte: what comes after it is not ours. `typing`: of a terminal.
Result<std::string> read_line(const HiddenTyping* typing) {
    std::string line;
    for (char byte = 0; line.size() <= kPasswordBytesMax + 1;) {
        if (typing != nullptr && !typing->wait()) return Error(Errc::closed, "interrupted: nothing was changed");
        const auto got = ::read(STDIN_FILENO, &byte, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return Error::from_errno(errno, "read", "stdin");
        if (got == 0 || byte == '\n') break;
        line += byte;
    }
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) return invalid("no password was given");
    if (line.size() > kPasswordBytesMax) return invalid("a password has at most 65535 bytes");
    return line;
}

Result<std::string> ask(const char* prompt, const HiddenTyping& typing) {
    std::cerr << prompt << std::flush;
    auto line = read_line(&typing);
    if (!line) std::cerr << "\n";
    return line;
}

}  // namespace

Result<std::string> ask_new_password() {
    if (::isatty(STDIN_FILENO) == 0) return invalid("stdin is no terminal to ask on (--password-stdin reads it there)");
    const HiddenTyping typing;
    if (!typing.is_ready()) return invalid("the terminal can't hide what is typed");
    auto password = ask("New password: ", typing);
    if (!password) return password;
    auto again = ask("Again: ", typing);
    if (!again) return again;
    if (*again != *password) return invalid("the two passwords differ: nothing was changed");
    return password;
}

Result<std::string> read_password_line() {
    return read_line(nullptr);
}

}  // namespace sluice::agent
