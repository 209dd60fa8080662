#include "agent/admin/client.hpp"

#include "agent/admin/server.hpp"
#include "agent/unix_path.hpp"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sluice::agent::admin {

namespace {

using storage::Errc;
using storage::Error;
using storage::Result;

constexpr timeval kPatience{10, 0};
constexpr std::size_t kReplyBytesMax = 16U << 20U;

class UnixSocket {
 public:
    UnixSocket() : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
    UnixSocket(const UnixSocket&) = delete;
    UnixSocket& operator=(const UnixSocket&) = delete;
    ~UnixSocket() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int fd() const { return fd_; }

 private:
    const int fd_;
};

Result<void> connect(const UnixSocket& socket, const std::string& data_dir) {
    const UnixPath path(data_dir, "sluice.sock");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.text().size() >= sizeof(address.sun_path)) return Error(Errc::not_found, data_dir + " can't be opened");
    std::memcpy(address.sun_path, path.text().data(), path.text().size());
    ::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
    ::setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
    if (::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return {};
    const int error = errno;
    if (error == ENOENT || error == ECONNREFUSED) return Error(Errc::not_found, "no agent runs on " + data_dir);
    if (error == EACCES || error == EPERM) {
        return Error(Errc::rejected, socket_path(data_dir) + " is for the agent's user and root (try it with sudo)");
    }
    return Error::from_errno(error, "connect to", socket_path(data_dir));
}

}  // namespace

Result<Reply> ask(const std::string& data_dir, const std::string& method, const std::string& path) {
    const UnixSocket socket;
    if (auto done = connect(socket, data_dir); !done) return done.error();
    const auto request =
        method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    if (::send(socket.fd(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
        return Error::from_errno(errno, "write to", socket_path(data_dir));
    }
    boost::beast::http::response_parser<boost::beast::http::string_body> parser;
    parser.body_limit(kReplyBytesMax);
    parser.eager(true);
    std::string bytes;
    std::array<char, 65536> buffer{};
    while (!parser.is_done()) {
        const auto got = ::recv(socket.fd(), buffer.data(), buffer.size(), 0);
        if (got < 0) return Error::from_errno(errno, "read from", socket_path(data_dir));
        if (got == 0) return Error(Errc::io, "the agent closed the connection before it had answered");
        bytes.append(buffer.data(), static_cast<std::size_t>(got));
        boost::system::error_code error;
        bytes.erase(0, parser.put(boost::asio::buffer(bytes), error));
        if (error && error != boost::beast::http::error::need_more) {
            return Error(Errc::io, "the agent's answer can't be read: " + error.message());
        }
    }
    return Reply{parser.get().result_int(), std::move(parser.get().body())};
}

}  // namespace sluice::agent::admin
