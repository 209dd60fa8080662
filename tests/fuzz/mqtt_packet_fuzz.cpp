// Any bytes as what a client sends: packets or faults, in each version; a PUBLISH that was taken is the same again
// after it was encoded and decoded.
#include "bridge/mqtt/packet_decode.hpp"
#include "bridge/mqtt/packet_encode.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using namespace sluice::bridge::mqtt;

namespace {

constexpr std::size_t kSizeMax = 1U << 20U;

void expect(bool holds) {
    if (!holds) __builtin_trap();
}

void check_again(const Publish& publish, ProtocolVersion version) {
    std::string bytes;
    encode_publish(publish, version, bytes);
    expect(bytes.size() == encoded_size(publish, version));
    const auto next = next_frame(bytes, 2 * kSizeMax);
    const auto* frame = std::get_if<Frame>(&next);
    expect(frame != nullptr && frame->size == bytes.size());
    const auto decoded = decode_publish(*frame, version, PropertyPlace::publish_to_client);
    const auto* again = std::get_if<Publish>(&decoded);
    expect(again != nullptr);
    expect(again->topic == publish.topic && again->payload == publish.payload);
    expect(again->packet_id == publish.packet_id && again->qos == publish.qos);
    expect(again->retain == publish.retain && again->duplicate == publish.duplicate);
    expect(again->topic_alias == publish.topic_alias);
    const auto& a = again->properties;
    const auto& b = publish.properties;
    expect(a.user == b.user && a.content_type == b.content_type && a.correlation_data == b.correlation_data);
    expect(a.response_topic == b.response_topic && a.message_expiry_interval == b.message_expiry_interval);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto version = static_cast<ProtocolVersion>(3 + data[0] % 3);
    std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    for (;;) {
        const auto next = next_frame(rest, kSizeMax);
        const auto* frame = std::get_if<Frame>(&next);
        if (frame == nullptr) return 0;
        expect(frame->size <= rest.size() && frame->size >= 2);
        const auto decoded = decode_packet(*frame, version);
        if (const auto* fault = std::get_if<Fault>(&decoded)) {
            expect(static_cast<unsigned>(fault->code) >= 0x80 && fault->what != nullptr);
        } else if (const auto* publish = std::get_if<Publish>(&std::get<ClientPacket>(decoded))) {
            check_again(*publish, version);
        }
        rest.remove_prefix(frame->size);
    }
}
