#include "bridge/mqtt/tls_context.hpp"

#include <boost/asio/ssl/context.hpp>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string_view>

namespace sluice::bridge::mqtt {

namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

}  // namespace

storage::Result<TlsContext> make_tls_context(const ServerTlsOptions& options) {
    auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
    auto* native = context->native_handle();
    SSL_CTX_set_min_proto_version(native, options.only_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // an idle connection keeps none
    SSL_CTX_set_options(native, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION);
    // Sessions of TLS are not resumed: a certificate that is not valid any more would go on to be.
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(native, 0);
    const auto failed = [](const std::string& path, const error_code& error) {
        return storage::Error(storage::Errc::invalid, path + ": " + error.message());
    };
    error_code error;
    context->use_certificate_chain_file(options.cert_file.value_or(""), error);
    if (error) return failed(options.cert_file.value_or(""), error);
    context->use_private_key_file(options.key_file.value_or(""), ssl::context::pem, error);
    if (error) return failed(options.key_file.value_or(""), error);
    if (!options.ca_file) return context;
    context->load_verify_file(*options.ca_file, error);
    if (error) return failed(*options.ca_file, error);
    // So that the client knows which of its certificates is meant.
    SSL_CTX_set_client_CA_list(native, SSL_load_client_CA_file(options.ca_file->c_str()));
    const auto mode =
        options.client_certificate ? ssl::verify_peer | ssl::verify_fail_if_no_peer_cert : ssl::verify_peer;
    context->set_verify_mode(mode, error);
    return context;
}

std::optional<std::string> certificate_subject(const ssl_st* connection) {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(connection), &X509_free);
    if (!certificate) return std::nullopt;
    auto* subject = X509_get_subject_name(certificate.get());
    const int place = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (place < 0) return std::nullopt;
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place)));
    if (size < 0) return std::nullopt;
    std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
    OPENSSL_free(text);
    return name;
}

}  // namespace sluice::bridge::mqtt
