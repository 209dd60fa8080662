// paho_persistence.hpp: Paho's persistence, answered from the log instead of files.
//
// Paho stores each QoS 2 PUBLISH before it sends PUBREC, and removes it at PUBREL before it sends PUBCOMP. Its call to
// the application comes after the first with MQTT 5, and only at PUBREL with 3.1.1, too late for our contract. So the
// message is accepted here, when it is stored, and released here, when it is removed; the call is ignored.
// Why not Paho's own files: they are not synced, and a message accepted before a kill would be accepted again.
// Choice and cost: docs/decisions/paho-inbound-qos2.md. Included by bridge/mqtt/*.cpp only.
#pragma once

#include "bridge/mqtt/ingest.hpp"
#include "bridge/mqtt/source_options.hpp"

#include <mqtt/iclient_persistence.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::bridge::mqtt {

class PahoPersistence final : public ::mqtt::iclient_persistence {
 public:
    PahoPersistence(std::string source, ProtocolVersion version, Ingest& ingest);

    void open(const std::string& client_id, const std::string& url) override;
    void close() override {}
    void clear() override;
    bool contains_key(const std::string& key) override;
    ::mqtt::string_collection keys() const override;
    /// Throws for a malformed packet, at which Paho drops the connection.
    void put(const std::string& key, const std::vector<::mqtt::string_view>& buffers) override;
    std::string get(const std::string& key) const override;
    void remove(const std::string& key) override;

 private:
    [[nodiscard]] std::optional<std::uint16_t> inbound_id(const std::string& key) const;

    const std::string source_;
    const ProtocolVersion version_;
    Ingest& ingest_;
};

}  // namespace sluice::bridge::mqtt
