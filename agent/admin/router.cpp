#include "agent/admin/router.hpp"

#include "agent/admin/token.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace sluice::agent::admin {

namespace {

bool is_ip_address(std::string_view host) {
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    boost::system::error_code error;
    static_cast<void>(boost::asio::ip::make_address(host, error));
    return !error;
}

bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

}  // namespace

Response make_error(unsigned status, const std::string& what) {
    return {status, "application/json", "{\"error\":\"" + what + "\"}\n"};
}

std::optional<std::string> host_of_header(std::string_view header) {
    std::string host(header);
    for (auto& c : host) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool bracketed = host.starts_with('[');
    const auto end = bracketed ? host.find(']') + 1 : std::min(host.find(':'), host.size());
    if (bracketed && end == 0) return std::nullopt;
    const std::string_view port = std::string_view(host).substr(end);
    const bool good_port =
        port.empty() || (port.size() > 1 && port.size() <= 6 && port[0] == ':' &&
                         std::all_of(port.begin() + 1, port.end(), [](char c) { return c >= '0' && c <= '9'; }));
    if (!good_port) return std::nullopt;
    host.resize(end);
    if (host.empty()) return std::nullopt;
    if (bracketed) return is_ip_address(host) ? std::optional(host) : std::nullopt;
    return std::all_of(host.begin(), host.end(), is_host_character) ? std::optional(host) : std::nullopt;
}

void Router::add(std::string path, Kind kind, Handler handler) {
    routes_.insert_or_assign(std::move(path), Route{kind, std::move(handler)});
}

void Router::events(std::string path, std::function<std::string()> event) {
    event_ = std::move(event);
    get(std::move(path), [](const Request& request, bool) {
        Response response{200, "text/event-stream", {}};
        response.follows = request.method == Method::get;
        return response;
    });
}

std::optional<std::string> Router::event() const {
    try {
        return event_ ? std::optional(event_()) : std::nullopt;
    } catch (const std::exception& /*as in handle()*/) {
        return std::nullopt;
    }
}

bool Router::is_known_host(std::string_view header) const {
    const auto host = host_of_header(header);
    if (!host) return false;
    return *host == "localhost" || is_ip_address(*host) ||
           std::find(options_.hosts.begin(), options_.hosts.end(), *host) != options_.hosts.end();
}

Response Router::handle(const Request& request) const {
    if (!request.over_unix && !is_known_host(request.host)) {
        return make_error(421, "the Host header is neither an address, nor localhost, nor one of admin.hosts");
    }
    const bool has_token = options_.token && bears_token(request.authorization, *options_.token);
    const bool may_change = request.over_unix || has_token;
    const bool may_read = may_change || !options_.token;
    const auto found = routes_.find(request.path);
    const bool is_open = found != routes_.end() && found->second.kind == Kind::open;
    if (!may_read && !is_open) {
        auto refusal = make_error(401, "this needs the token of [admin]: Authorization: Bearer TOKEN");
        refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
        return refusal;
    }
    if (found == routes_.end()) return make_error(404, "there is nothing here (docs/admin.md has the paths)");
    const auto& route = found->second;
    const bool reads = request.method == Method::get || request.method == Method::head;
    if (route.kind == Kind::change ? request.method != Method::post : !reads) {
        auto refusal = make_error(405, "not with this method");
        refusal.headers.emplace_back("Allow", route.kind == Kind::change ? "POST" : "GET, HEAD");
        return refusal;
    }
    if (route.kind == Kind::change && !may_change) {
        return make_error(403, "what changes something goes over the Unix socket, or with the token of [admin]");
    }
    try {
        return route.handler(request, may_read);
    } catch (const std::exception& /*what may hold anything*/) {
        return make_error(500, "the agent could not make this answer");
    }
}

std::vector<std::string> Router::paths() const {
    std::vector<std::string> paths;
    for (const auto& [path, route] : routes_) paths.push_back(path);
    return paths;
}

}  // namespace sluice::agent::admin
