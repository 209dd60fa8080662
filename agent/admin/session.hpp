// session.hpp: one connection: requests in, answers out, one after the other, each within its time.
//
// For the includes of server.cpp only. Stream: a beast::basic_stream, or TLS over one.
#pragma once

#include "agent/admin/http_request.hpp"

#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

namespace sluice::agent::admin {

inline constexpr std::chrono::seconds kRequestTimeout{30};  ///< from one answer to the end of the next request
inline constexpr std::chrono::seconds kWriteTimeout{10};

/// What a session asks of its server. On its thread.
struct Site {
    std::function<Response(const Request&)> answer;
    std::function<bool(bool over_unix)> may_ask;  ///< false: too many requests
    std::function<bool()> stopping;
};

using PlainStream = boost::beast::basic_stream<boost::asio::generic::stream_protocol>;
using TlsStream = boost::asio::ssl::stream<PlainStream>;

template <class Stream>
class Session final : public std::enable_shared_from_this<Session<Stream>> {
 public:
    /// @param place  among the connections, for as long as it lives
    template <class... Arguments>
    Session(const Site& site, bool over_unix, std::shared_ptr<void> place, Arguments&&... arguments)
        : site_(site),
          over_unix_(over_unix),
          place_(std::move(place)),
          stream_(std::forward<Arguments>(arguments)...) {}

    void start() {
        if constexpr (std::is_same_v<Stream, TlsStream>) {
            lowest().expires_after(kWriteTimeout);
            stream_.async_handshake(boost::asio::ssl::stream_base::server,
                                    [self = this->shared_from_this()](boost::system::error_code error) {
                                        if (!error) self->read();
                                    });
        } else {
            read();
        }
    }
    void close() {
        boost::system::error_code ignored;
        lowest().socket().close(ignored);
    }

 private:
    PlainStream& lowest() {
        if constexpr (std::is_same_v<Stream, TlsStream>)
            return stream_.next_layer();
        else
            return stream_;
    }

    void read() {
        parser_.emplace();
        limit(*parser_);
        lowest().expires_after(kRequestTimeout);
        boost::beast::http::async_read(
            stream_, buffer_, *parser_,
            [self = this->shared_from_this()](boost::system::error_code error, std::size_t) { self->on_read(error); });
    }

    void on_read(boost::system::error_code error) {
        namespace http = boost::beast::http;
        if (!error) return answer();
        if (error == http::error::header_limit) return write(make_error(431, "the headers are too long"), true);
        if (error == http::error::body_limit) return write(make_error(413, "the body is too long"), true);
        // Anything else is a connection that ended, or something that is not HTTP.
        if (error.category() == make_error_code(http::error::bad_method).category() &&
            error != http::error::end_of_stream && error != http::error::partial_message) {
            return write(make_error(400, "this is not HTTP/1.1 as RFC 9112 has it"), true);
        }
        close();
    }

    void answer() {
        const auto& http = parser_->get();
        if (!site_.may_ask(over_unix_)) return write(make_error(429, "too many requests"), true);
        auto request = to_request(http, over_unix_);
        if (auto* refusal = std::get_if<Response>(&request)) return write(std::move(*refusal), true);
        write(site_.answer(std::get<Request>(request)), !http.keep_alive());
    }

    void write(Response response, bool last) {
        const bool good = parser_->is_header_done();
        const unsigned version = good ? parser_->get().version() : 11;
        const bool is_head = good && parser_->get().method() == boost::beast::http::verb::head;
        const bool keep = !last && !site_.stopping();
        response_ = to_http(std::move(response), version == 10 ? 10 : 11, keep, is_head);
        lowest().expires_after(kWriteTimeout);
        boost::beast::http::async_write(
            stream_, response_, [self = this->shared_from_this(), keep](boost::system::error_code error, std::size_t) {
                if (!error && keep) return self->read();
                self->leave();
            });
    }

    void leave() {
        if constexpr (std::is_same_v<Stream, TlsStream>) {
            lowest().expires_after(kWriteTimeout);
            stream_.async_shutdown(
                [self = this->shared_from_this()](boost::system::error_code /*it is over*/) { self->close(); });
        } else {
            boost::system::error_code ignored;
            lowest().socket().shutdown(boost::asio::socket_base::shutdown_send, ignored);
            close();
        }
    }

    const Site& site_;
    const bool over_unix_;
    const std::shared_ptr<void> place_;
    boost::beast::flat_buffer buffer_{kHeaderBytesMax + kBodyBytesMax};
    std::optional<RequestParser> parser_;
    HttpResponse response_;
    Stream stream_;
};

}  // namespace sluice::agent::admin
