// stream_transport.hpp: a connection over a stream that has a handshake and a farewell of its own.
//
// Traits of a stream S:
//   void handshake(S&, Peer&, Done)    Done(error_code); the peer may be known better after it
//   void write(S&, const string&, Done)  all of it; Done(error_code, size)
//   void farewell(S&, Done)            everything is written
//   bool takes(S&)                     whether what was just read may be MQTT
// For the includes of the files that make transports only.
#pragma once

#include "bridge/mqtt/broker.hpp"
#include "bridge/mqtt/transport.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sluice::bridge::mqtt {

template <class Stream, class Traits>
class StreamTransport final : public OpenTransport {
 public:
    template <class... Arguments>
    StreamTransport(Server server, Peer peer, Traits traits, Arguments&&... arguments)
        : server_(server),
          peer_(std::move(peer)),
          traits_(std::move(traits)),
          stream_(std::forward<Arguments>(arguments)...),
          timer_(stream_.get_executor()) {}

    void start() override {
        server_.transports.insert(shared_from_this());
        limit_time(server_.handshake_timeout);
        traits_.handshake(stream_, peer_, [self = self()](error_code error) {
            if (self->lost_) return;
            self->timer_.cancel();
            if (error) return self->refuse(error);
            self->connection_.emplace(self->server_.broker, *self, self->peer_);
            self->read();
        });
    }
    void stop() override {
        if (!connection_) lose();
    }
    void wake() override {
        if (std::exchange(woken_, true)) return;
        boost::asio::post(stream_.get_executor(), [self = self()] {
            self->woken_ = false;
            self->go_on();
        });
    }

 private:
    using error_code = boost::system::error_code;

    std::shared_ptr<StreamTransport> self() { return std::static_pointer_cast<StreamTransport>(shared_from_this()); }

    void read() {
        if (reading_ || lost_ || !connection_->wants_input()) return;
        reading_ = true;
        stream_.async_read_some(boost::asio::buffer(input_), [self = self()](error_code error, std::size_t got) {
            self->reading_ = false;
            if (self->lost_) return;
            if (error || !self->traits_.takes(self->stream_)) return self->lose();
            self->take({self->input_.data(), got});
            self->go_on();
        });
    }

    void refuse(error_code error) {
        if (error != boost::asio::error::eof && error != boost::asio::error::connection_reset) {  // nobody was there
            ++server_.broker.counting().refused;
            server_.broker.tell(Severity::info, "a client at " + peer_.address + ": " + error.message());
        }
        lose();
    }

    void take(std::string_view bytes) {
        if (unread_.empty()) {
            unread_ = bytes.substr(connection_->take(bytes));
        } else {
            unread_ += bytes;
            unread_.erase(0, connection_->take(unread_));
        }
    }

    void go_on() {
        if (lost_) return;
        if (!unread_.empty() && connection_->wants_input()) unread_.erase(0, connection_->take(unread_));
        if (unread_.empty() && unread_.capacity() > kKeptBytes) unread_.shrink_to_fit();
        write();
        read();
    }

    void write() {
        if (lost_ || leaving_ || !output_.empty()) return;
        output_.swap(connection_->out());
        if (output_.empty()) {
            if (connection_->is_closing()) leave();
            return;
        }
        traits_.write(stream_, output_, [self = self()](error_code error, std::size_t /*written*/) {
            if (self->lost_) return;
            if (error) return self->lose();
            self->output_.clear();
            if (self->output_.capacity() > kKeptBytes) self->output_.shrink_to_fit();
            self->connection_->pump();
            self->go_on();
        });
    }

    void leave() {
        leaving_ = true;
        limit_time(kFarewellTimeout);
        traits_.farewell(stream_, [self = self()](error_code /*it is over either way*/) { self->lose(); });
    }

    void limit_time(std::chrono::seconds limit) {
        timer_.expires_after(limit);
        timer_.async_wait([self = self()](error_code error) {
            if (!error) self->lose();
        });
    }

    void lose() {
        if (std::exchange(lost_, true)) return;
        timer_.cancel();
        if (connection_) connection_->on_lost();
        error_code ignored;
        lowest_layer().close(ignored);
        server_.transports.erase(shared_from_this());
    }

    auto& lowest_layer() { return Traits::socket_of(stream_); }

    static constexpr std::size_t kInputBytes = 4096;
    static constexpr std::chrono::seconds kFarewellTimeout{1};

    Server server_;
    Peer peer_;
    Traits traits_;
    Stream stream_;
    boost::asio::steady_timer timer_;
    std::optional<Connection> connection_;  // after the handshake
    std::array<char, kInputBytes> input_{};
    std::string unread_;
    std::string output_;  // on its way
    bool reading_ = false;
    bool woken_ = false;
    bool leaving_ = false;
    bool lost_ = false;
};

}  // namespace sluice::bridge::mqtt
