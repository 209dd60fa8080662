#include "bridge/kafka/assigned_consumer.hpp"

#include "bridge/kafka/handles.hpp"
#include "bridge/kafka/oauth_token.hpp"

#include <array>
#include <map>

namespace sluice::bridge::kafka {

namespace {}  // namespace

storage::Result<Handle> open_assigned_consumer(const ClusterOptions& options, const std::string& group,
                                               const char* isolation_level) {
    std::array<char, 512> reason{};
    Conf conf(rd_kafka_conf_new());
    std::map<std::string, std::string> properties = {
        {"bootstrap.servers", options.brokers},
        {"client.id", "sluice-" + options.agent_id},
        {"group.id", group},
        {"enable.auto.commit", "false"},
        {"auto.offset.reset", "earliest"},
        {"enable.partition.eof", "true"},
        {"reconnect.backoff.max.ms", "1000"},
        {"fetch.wait.max.ms", "100"},
        {"queued.max.messages.kbytes", "4096"},
    };
    for (const auto& [name, value] : options.properties) properties[name] = value;
    properties["isolation.level"] = isolation_level;
    for (const auto& [name, value] : properties) {
        if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), reason.data(), reason.size()) !=
            RD_KAFKA_CONF_OK) {
            return storage::Error(storage::Errc::rejected, reason.data());
        }
    }
    rd_kafka_conf_set_log_cb(conf.get(), &ignore_log);
    take_tokens_from_file(conf.get(), properties);
    Handle handle(rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), reason.data(), reason.size()));
    if (!handle) return storage::Error(storage::Errc::rejected, reason.data());
    static_cast<void>(conf.release());  // owned by the handle now
    renew_tokens_in_background(handle.get());
    rd_kafka_poll_set_consumer(handle.get());
    return handle;
}

}  // namespace sluice::bridge::kafka
