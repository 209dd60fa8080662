#include "bridge/kafka/oauth_token.hpp"

#include "bridge/kafka/kafka_config.hpp"
#include "storage/file_system.hpp"

#include <simdjson.h>

#include <array>
#include <cstdint>

namespace sluice::bridge::kafka {

namespace {

constexpr std::string_view kPrefix = kTokenFilePrefix;
constexpr std::size_t kTokenBytesMax = 64U << 10U;

/// RFC 4648, section 5, without padding; nullopt for what it is not.
std::optional<std::string> decode_base64url(std::string_view text) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string bytes;
    std::uint32_t gathered = 0;
    unsigned bits = 0;
    for (const char c : text) {
        const auto digit = kDigits.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        gathered = gathered << 6U | static_cast<std::uint32_t>(digit);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        bytes.push_back(static_cast<char>(gathered >> bits & 0xffU));
    }
    return bytes;
}

void refresh(rd_kafka_t* client, const char* config, void* /*opaque*/) {
    std::array<char, 512> reason{};
    const auto path = std::string(config != nullptr ? config : "").substr(kPrefix.size());
    storage::PosixFileSystem files;
    auto text = storage::read_file(files, path);
    while (text && !text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    if (!text || text->empty() || text->size() > kTokenBytesMax) {
        const auto why = text ? path + " holds no token" : text.error().message();
        rd_kafka_oauthbearer_set_token_failure(client, why.c_str());
        return;
    }
    const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const auto token = describe_token(std::move(*text), now);
    if (token.expires <= now) {
        rd_kafka_oauthbearer_set_token_failure(client, ("the token in " + path + " has expired").c_str());
        return;
    }
    const auto error =
        rd_kafka_oauthbearer_set_token(client, token.text.c_str(), token.expires.time_since_epoch().count(),
                                       token.subject.c_str(), nullptr, 0, reason.data(), reason.size());
    // The library's words could show what is in the file.
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_oauthbearer_set_token_failure(client, (path + " holds no token that can be sent").c_str());
    }
}

}  // namespace

void take_tokens_from_file(rd_kafka_conf_t* conf, const std::map<std::string, std::string>& properties) {
    const auto config = properties.find("sasl.oauthbearer.config");
    if (config == properties.end() || !config->second.starts_with(kPrefix)) return;
    rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf, &refresh);
    rd_kafka_conf_enable_sasl_queue(conf, 1);  // else renew_tokens_in_background() has nothing to serve
}

void renew_tokens_in_background(rd_kafka_t* client) {
    const KafkaError refused(rd_kafka_sasl_background_callbacks_enable(client));  // another mechanism has none
}

Token describe_token(std::string text, std::chrono::sys_time<std::chrono::milliseconds> now) {
    using std::chrono_literals::operator""min;
    Token token{std::move(text), now + 5min, "unknown"};
    const auto first = token.text.find('.');
    const auto second = token.text.find('.', first + 1);
    if (first == std::string::npos || second == std::string::npos) return token;
    const auto claims = decode_base64url(std::string_view(token.text).substr(first + 1, second - first - 1));
    if (!claims) return token;
    simdjson::dom::parser parser;
    const auto document = parser.parse(simdjson::padded_string(*claims));
    double expires = 0;
    std::string_view subject;
    constexpr double kLatest = 253402300799;  // the year 9999
    if (document.at_key("exp").get_double().get(expires) == simdjson::SUCCESS && expires >= 0 && expires <= kLatest) {
        token.expires = decltype(token.expires)(std::chrono::milliseconds(static_cast<std::int64_t>(expires * 1000)));
    }
    if (document.at_key("sub").get_string().get(subject) == simdjson::SUCCESS && !subject.empty()) {
        token.subject = std::string(subject);
    }
    return token;
}

}  // namespace sluice::bridge::kafka
