#include "bridge/mqtt/paho_persistence.hpp"

#include "bridge/mqtt/publish_packet.hpp"

#include <mqtt/exception.h>

#include <charconv>
#include <string_view>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

// Paho C 1.3, MQTTPersistence.h: the keys of stored inbound PUBLISH packets.
constexpr std::string_view kReceivedV3 = "r-";
constexpr std::string_view kReceivedV5 = "r5-";

constexpr unsigned char kPublishQos2 = 0x34;

std::string_view prefix(ProtocolVersion version) {
    return version == ProtocolVersion::v5 ? kReceivedV5 : kReceivedV3;
}

}  // namespace

PahoPersistence::PahoPersistence(std::string source, ProtocolVersion version, Ingest& ingest)
    : source_(std::move(source)), version_(version), ingest_(ingest) {}

void PahoPersistence::open(const std::string& /*client_id*/, const std::string& /*url*/) {}

void PahoPersistence::clear() {
    ingest_.release_all(source_);
}

std::optional<std::uint16_t> PahoPersistence::inbound_id(const std::string& key) const {
    const auto start = prefix(version_);
    if (!key.starts_with(start)) return std::nullopt;
    std::uint16_t id = 0;
    const auto* end = key.data() + key.size();
    const auto parsed = std::from_chars(key.data() + start.size(), end, id);
    return parsed.ec == std::errc() && parsed.ptr == end ? std::optional(id) : std::nullopt;
}

bool PahoPersistence::contains_key(const std::string& key) {
    const auto id = inbound_id(key);
    return id && ingest_.is_accepted(source_, *id);
}

::mqtt::string_collection PahoPersistence::keys() const {
    std::vector<std::string> keys;
    for (const auto id : ingest_.unreleased(source_))
        keys.push_back(std::string(prefix(version_)) + std::to_string(id));
    return ::mqtt::string_collection(keys);
}

void PahoPersistence::put(const std::string& key, const std::vector<::mqtt::string_view>& buffers) {
    if (!inbound_id(key)) return;  // what Paho sends, or queues for later: of no use after a restart
    std::string packet;
    for (const auto& buffer : buffers) packet.append(buffer.data(), buffer.size());
    auto publish = message_of_packet(packet, version_);
    if (!publish) throw ::mqtt::persistence_exception();
    ingest_.accept(source_, std::move(publish->message), publish->packet_id);
}

/// After a restart Paho asks for the packets of what was not released. It only needs the identifier, so that it tells
/// us of the PUBREL: the message is in the log.
std::string PahoPersistence::get(const std::string& key) const {
    const auto id = inbound_id(key);
    if (!id) throw ::mqtt::persistence_exception();
    std::string body{"\0\1-", 3};  // topic "-"
    body += static_cast<char>(*id >> 8U);
    body += static_cast<char>(*id & 0xffU);
    if (version_ == ProtocolVersion::v5) body += '\0';  // no properties
    std::string packet(1, static_cast<char>(kPublishQos2));
    packet += static_cast<char>(body.size());
    return packet + body;
}

void PahoPersistence::remove(const std::string& key) {
    if (const auto id = inbound_id(key)) ingest_.release(source_, *id);
}

}  // namespace sluice::bridge::mqtt
