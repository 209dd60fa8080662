#include "agent/admin/admin.hpp"

#include "agent/admin/devices_json.hpp"
#include "agent/admin/health.hpp"
#include "agent/admin/page.hpp"
#include "agent/admin/query_string.hpp"
#include "agent/admin/sql_api.hpp"
#include "agent/admin/status_json.hpp"
#include "agent/metrics/collect.hpp"
#include "agent/metrics/exposition.hpp"

#include <nlohmann/json.hpp>

namespace sluice::agent::admin {

namespace {

using Json = nlohmann::ordered_json;

constexpr unsigned kUnavailable = 503;
constexpr unsigned kConflict = 409;

Snapshot whole(const Subject& subject) {
    auto snapshot = subject.snapshot();
    snapshot.process = read_process();
    return snapshot;
}

/// For load balancers and systems that watch: without the token it says whether, and not why.
Response readiness(const Snapshot& snapshot, bool authorized) {
    const auto health = judge(snapshot);
    Json json = {{"ready", health.ready()}};
    if (authorized) {
        json["reasons"] = health.reasons;
        json["notes"] = health.notes;
    }
    return {health.ready() ? 200U : kUnavailable, "application/json", dump(json)};
}

Response liveness(const Snapshot& snapshot) {
    const bool alive = !snapshot.failed;
    return {alive ? 200U : kUnavailable, "application/json", dump({{"alive", alive}})};
}

Response metrics(const Request& request, const Snapshot& snapshot) {
    const auto format = metrics::chosen_format(request.accept);
    return {200, std::string(metrics::content_type(format)), metrics::expose(metrics::collect(snapshot), format)};
}

Response reloaded(const ReloadAnswer& answer) {
    const Json json = {{"done", answer.done},
                       {"errors", answer.errors},
                       {"changed", answer.changed},
                       {"needs_restart", answer.needs_restart}};
    return {answer.done ? 200U : kConflict, "application/json", dump(json)};
}

Response history_of(const Request& request, const History& history) {
    constexpr std::int64_t kBackMax = 2 * 24 * 3600;
    constexpr std::int64_t kBackDefault = 900;
    const auto asked = QueryString::parse(request.query);
    const auto back = asked ? asked->number("seconds", 1, kBackMax, kBackDefault) : std::nullopt;
    if (!back) return make_error(400, "seconds is from 1 to " + std::to_string(kBackMax));
    return {200, "application/json", dump(history.json(std::chrono::seconds(*back)))};
}

Response devices(const Request& request, std::vector<bridge::Device> devices) {
    const auto asked = QueryString::parse(request.query);
    const auto chosen = asked ? DeviceChoice::of(*asked) : std::nullopt;
    if (!chosen) return make_error(400, "limit and skip are numbers, order is silent or key");
    const auto now = std::chrono::time_point_cast<storage::Timestamp::duration>(std::chrono::system_clock::now());
    const auto found = choose(devices, *chosen);
    Response response{200, "application/json", dump(devices_json(std::move(devices), now))};
    response.headers.emplace_back("X-Total-Count", std::to_string(found));
    return response;
}

/// One server-sent event: the state, and the newest second of the history.
std::string event(const Subject& subject, const RateBoard& rates, const History& history) {
    const Json json = {{"status", status_json(whole(subject), rates.read())}, {"history", history.newest()}};
    return "event: state\ndata: " + dump(json) + "\n";  // dump() gives one line
}

}  // namespace

Router make_router(const AdminOptions& options, const Subject& subject, const RateBoard& rates,
                   const History& history) {
    Router router({options.token, options.hosts});
    router.open("/healthz", [&subject](const Request&, bool) { return liveness(subject.snapshot()); });
    router.open("/readyz",
                [&subject](const Request&, bool authorized) { return readiness(subject.snapshot(), authorized); });
    router.get("/metrics", [&subject](const Request& request, bool) { return metrics(request, whole(subject)); });
    router.get("/api/v1/status", [&subject, &rates](const Request&, bool) {
        return Response{200, "application/json", dump(status_json(whole(subject), rates.read()))};
    });
    router.get("/api/v1/devices",
               [&subject](const Request& request, bool) { return devices(request, subject.devices()); });
    router.get("/api/v1/alerts", [&subject](const Request&, bool) {
        return Response{200, "application/json", dump(subject.alerts())};
    });
    router.get("/api/v1/rules", [&subject](const Request&, bool) {
        return Response{200, "application/json", dump(subject.rules())};
    });
    router.get("/api/v1/history", [&history](const Request& request, bool) { return history_of(request, history); });
    router.events("/api/v1/events", [&] { return event(subject, rates, history); });
    add_log_paths(router, subject.logs);
    add_sql_path(router, subject.logs, subject.devices);
    add_page(router);
    router.post("/api/v1/reload", [&subject](const Request&, bool) { return reloaded(subject.reload()); });
    for (const bool open : {false, true}) {
        router.post(open ? "/api/v1/uplink/resume" : "/api/v1/uplink/pause", [&subject, open](const Request&, bool) {
            const auto done = subject.set_uplink(open);
            const Json answer = done ? Json::object() : Json{{"error", done.error().message()}};
            return Response{done ? 200U : kConflict, "application/json", dump(answer)};
        });
    }
    return router;
}

Admin::Admin(Subject subject) : subject_(std::move(subject)) {}

storage::Result<std::unique_ptr<Admin>> Admin::start(const AdminOptions& options, const std::string& data_dir,
                                                     Subject subject, bridge::Report report) {
    std::unique_ptr<Admin> admin(new Admin(std::move(subject)));
    admin->tick();
    auto server = Server::start(
        options, data_dir, make_router(options, admin->subject_, admin->rates_, admin->history_), std::move(report));
    if (!server) return server.error();
    admin->server_ = std::move(*server);
    return admin;
}

void Admin::tick() {
    const auto now = std::chrono::steady_clock::now();
    if (!rates_.is_due(now)) return;
    const auto snapshot = subject_.snapshot();
    rates_.sample(snapshot, now);
    history_.sample(snapshot, std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()));
}

}  // namespace sluice::agent::admin
