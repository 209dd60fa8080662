// router.hpp: which request gets which answer, and who may ask for it.
//
// Rules, in this order
//   - Host: over TCP it names an IP address, localhost, or one of `hosts`. A web page that has its own name resolve to
//     this machine (DNS rebinding) sends that name, and is turned away.
//   - Who: the Unix socket may all. Over TCP, where there is a token, all but the open paths need it; where there is
//     none (loopback only), everything may be read.
//   - Change: only by POST; over TCP only with the token, which no foreign page can make a browser send.
// No answer repeats what the client has sent, but for the errors of /api/v1/sql, which name what is wrong.
#pragma once

#include "agent/admin/http_message.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::agent::admin {

struct RouterOptions {
    std::optional<std::string> token{};
    std::vector<std::string> hosts{};  ///< names that clients may use for this machine, in lower case
};

class Router {
 public:
    /// @param authorized  whether who asks may see more than an open path shows everybody
    using Handler = std::function<Response(const Request&, bool authorized)>;

    explicit Router(RouterOptions options) : options_(std::move(options)) {}

    /// For everybody, also without the token: it must show nothing that matters.
    void open(std::string path, Handler handler) { add(std::move(path), Kind::open, std::move(handler)); }
    void get(std::string path, Handler handler) { add(std::move(path), Kind::read, std::move(handler)); }
    /// What reads the log: may take long, and is for a thread on which that harms nobody.
    void query(std::string path, Handler handler) {
        add(path, Kind::read, std::move(handler));
        queries_.insert(std::move(path));
    }
    /// Server-sent events. @param event  makes the newest; on the thread of handle()
    void events(std::string path, std::function<std::string()> event);
    /// What changes something.
    void post(std::string path, Handler handler) { add(std::move(path), Kind::change, std::move(handler)); }

    /// Never throws: a handler that does is answered with 500.
    [[nodiscard]] Response handle(const Request& request) const;
    [[nodiscard]] bool is_query(const std::string& path) const { return queries_.contains(path); }
    /// The newest event; nullopt where there are none.
    [[nodiscard]] std::optional<std::string> event() const;
    [[nodiscard]] std::vector<std::string> paths() const;

 private:
    enum class Kind : std::uint8_t { open, read, change };
    struct Route {
        Kind kind;
        Handler handler;
    };
    void add(std::string path, Kind kind, Handler handler);
    [[nodiscard]] bool is_known_host(std::string_view host) const;

    const RouterOptions options_;
    std::map<std::string, Route, std::less<>> routes_;
    std::set<std::string> queries_;
    std::function<std::string()> event_;
};

/// The host of a Host header, in lower case: without port, and brackets kept. nullopt: it is none.
[[nodiscard]] std::optional<std::string> host_of_header(std::string_view header);

}  // namespace sluice::agent::admin
