// session.hpp: one connection: requests in, answers out, one after the other, each within its time; or events, until it
// ends.
//
// For the includes of server.cpp only. Stream: a beast::basic_stream, or TLS over one.
#pragma once

#include "agent/admin/event_feed.hpp"
#include "agent/admin/http_request.hpp"

#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
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
inline constexpr int kFollowerSendBuffer = 64 << 10;  ///< bytes: who doesn't read is soon noticed

/// What a session asks of its server. On its thread.
struct Site {
    /// Calls `done` with the answer, now or later, on this thread.
    std::function<void(const Request&, std::function<void(Response)> done)> answer;
    std::function<bool(bool over_unix)> may_ask;  ///< false: too many requests
    std::function<bool()> stopping;
    EventFeed& feed;
};

using PlainStream = boost::beast::basic_stream<boost::asio::generic::stream_protocol>;
using TlsStream = boost::asio::ssl::stream<PlainStream>;

template <class Stream>
class Session final : public std::enable_shared_from_this<Session<Stream>>, public EventFeed::Follower {
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
        site_.answer(std::get<Request>(request),
                     [self = this->shared_from_this(), last = !http.keep_alive()](Response response) {
                         if (response.follows) return self->follow(std::move(response));
                         self->write(std::move(response), last);
                     });
    }

    /// Events have the rest of the connection: nothing more is read from it.
    void follow(Response response) {
        if (!site_.feed.join(this->shared_from_this())) {
            return write(make_error(503, "too many follow the events already"), true);
        }
        boost::system::error_code ignored;
        lowest().socket().set_option(boost::asio::socket_base::send_buffer_size(kFollowerSendBuffer), ignored);
        response_ = to_http(std::move(response), parser_->get().version() == 10 ? 10 : 11, false, false);
        serializer_.emplace(response_);
        lowest().expires_after(kWriteTimeout);
        boost::beast::http::async_write_header(
            stream_, *serializer_,
            [self = this->shared_from_this()](boost::system::error_code error, std::size_t) { self->on_sent(error); });
    }

    /// Only the newest: what came while the last one was on its way is left out.
    void on_event() override {
        if (sending_ || site_.feed.newest() == sent_) return;
        sending_ = true;
        sent_ = site_.feed.newest();
        lowest().expires_after(kWriteTimeout);
        boost::asio::async_write(
            stream_, boost::asio::buffer(*sent_),
            [self = this->shared_from_this()](boost::system::error_code error, std::size_t) { self->on_sent(error); });
    }

    void on_sent(boost::system::error_code error) {
        sending_ = false;
        if (error) {
            site_.feed.leave(this);
            return close();
        }
        lowest().expires_never();
        on_event();
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
    std::optional<boost::beast::http::response_serializer<boost::beast::http::string_body>> serializer_;
    bool sending_ = true;  // of events: the headers are the first
    EventFeed::Event sent_;
    Stream stream_;
};

}  // namespace sluice::agent::admin
