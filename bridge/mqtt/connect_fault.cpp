#include "bridge/mqtt/connect_fault.hpp"

#include <netdb.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <memory>
#include <system_error>
#include <utility>
#include <variant>

namespace sluice::bridge::mqtt {

namespace {

constexpr int kPauseMs = 20;  // between looks at a connection that is being made
constexpr std::chrono::seconds kPatience{3};
constexpr int kLastWordTimeoutS = 1;  // TLS 1.3 refuses a client's certificate after the handshake

template <auto destroy>
struct Destroy {
    template <class T>
    void operator()(T* object) const {
        destroy(object);
    }
};
using Bio = std::unique_ptr<BIO, Destroy<BIO_free_all>>;
using Context = std::unique_ptr<SSL_CTX, Destroy<SSL_CTX_free>>;

class Probe {
 public:
    explicit Probe(int fd) : fd_(fd) {}
    Probe(Probe&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Probe& operator=(Probe&&) = delete;
    Probe(const Probe&) = delete;
    Probe& operator=(const Probe&) = delete;
    ~Probe() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

 private:
    int fd_;
};

/// @return 0, or the errno of what failed
int connect_within(const Probe& socket, const addrinfo& address) {
    if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    pollfd item{socket.get(), POLLOUT, 0};
    if (::poll(&item, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())) <= 0) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
}

/// A connection to the first of the host's addresses that takes one, or what failed with the last of them.
std::variant<Probe, std::string> connect_tcp(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
        return "the host's name is not known (" + std::string(::gai_strerror(error)) + ")";
    }
    const std::unique_ptr<addrinfo, Destroy<freeaddrinfo>> addresses(found);
    int error = 0;
    for (const auto* address = found; address != nullptr; address = address->ai_next) {
        Probe socket(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        error = socket.get() < 0 ? errno : connect_within(socket, *address);
        if (error == 0) return socket;
    }
    return std::generic_category().message(error);
}

/// The oldest error of OpenSSL's queue, which is nearest to the cause; the queue is empty then.
std::string first_error() {
    const char* reason = ERR_reason_error_string(ERR_get_error());
    ERR_clear_error();
    return reason != nullptr ? reason : "no answer";
}

Context tls_context(const TlsOptions& tls) {
    Context context(SSL_CTX_new(TLS_client_method()));
    if (tls.ca_file)
        SSL_CTX_load_verify_locations(context.get(), tls.ca_file->c_str(), nullptr);
    else
        SSL_CTX_set_default_verify_paths(context.get());
    if (tls.cert_file) SSL_CTX_use_certificate_chain_file(context.get(), tls.cert_file->c_str());
    if (tls.key_file) SSL_CTX_use_PrivateKey_file(context.get(), tls.key_file->c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_set_verify(context.get(), tls.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    return context;
}

void expect_host(SSL* tls, const std::string& host) {
    auto* wanted = SSL_get0_param(tls);
    if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1) return;
    X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), host.size());
    SSL_set_tlsext_host_name(tls, host.c_str());
}

/// What is wrong with TLS over `connection`, or an empty text.
std::string tls_fault(const Probe& connection, const SourceOptions& source, const std::string& host) {
    const auto context = tls_context(source.tls);
    ERR_clear_error();
    const Bio secured(BIO_push(BIO_new_ssl(context.get(), 1), BIO_new_socket(connection.get(), BIO_NOCLOSE)));
    SSL* tls = nullptr;
    BIO_get_ssl(secured.get(), &tls);
    if (source.tls.verify) expect_host(tls, host);
    if (BIO_do_connect_retry(secured.get(), static_cast<int>(kPatience.count()), kPauseMs) <= 0) {
        const auto verdict = SSL_get_verify_result(tls);
        if (source.tls.verify && verdict != X509_V_OK) {
            return std::string("the broker's certificate is not accepted: ") + X509_verify_cert_error_string(verdict);
        }
        return "TLS fails: " + first_error() + " (does this port speak TLS? Else write mqtt://)";
    }
    char byte = 0;
    if (BIO_read(secured.get(), &byte, 1) <= 0) BIO_wait(secured.get(), time(nullptr) + kLastWordTimeoutS, kPauseMs);
    BIO_read(secured.get(), &byte, 1);
    return ERR_peek_error() == 0 ? std::string() : "the broker ends TLS: " + first_error();
}

}  // namespace

std::string connect_fault(const SourceOptions& source) {
    const bool with_tls = source.url.starts_with("mqtts://");
    const auto address = source.url.substr(source.url.find("://") + 3);
    const auto colon = address.rfind(':');
    auto host = address.substr(0, colon);
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    const std::string what = "no connection to " + address + ": ";

    const auto connection = connect_tcp(host, address.substr(colon + 1));
    if (const auto* fault = std::get_if<std::string>(&connection)) return what + *fault;
    const auto fault = with_tls ? tls_fault(std::get<Probe>(connection), source, host) : std::string();
    if (!fault.empty()) return what + fault;
    return what + "it takes the connection, and then says nothing" +
           (with_tls ? " (is it an MQTT broker?)" : " (is it an MQTT broker? If it wants TLS, write mqtts://)");
}

}  // namespace sluice::bridge::mqtt
