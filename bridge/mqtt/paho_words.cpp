#include "bridge/mqtt/paho_words.hpp"

namespace sluice::bridge::mqtt {

// The numbers are CONNACK's of MQTT 3.1.1 (section 3.2.2.3) and 5 (section 3.2.2.2).
std::optional<std::string> refusal(const ::mqtt::exception& error) {
    switch (error.get_reason_code() >= 0x80 ? static_cast<int>(error.get_reason_code()) : error.get_return_code()) {
        case 1:
        case 0x84:
            return "the broker doesn't speak this version of MQTT (set version)";
        case 2:
        case 0x85:
            return "the broker refuses the client id";
        case 3:
        case 0x88:
            return "the broker says that it is unavailable";
        case 4:
        case 0x86:
            return "the broker refuses the user name or the password";
        case 5:
        case 0x87:
            return "the broker says: not authorized (check username and password)";
        default:
            return std::nullopt;
    }
}

// The numbers are those of MQTT 5, section 3.14.2.1.
std::string end_of_connection(::mqtt::ReasonCode reason, const std::string& client_id) {
    switch (static_cast<int>(reason)) {
        case 0x8b:
            return "the broker shuts down";
        case 0x8d:
            return "the broker heard nothing from us for too long";
        case 0x8e:
            return "another client uses our client id, " + client_id + " (has another agent the same id?)";
        default:
            return "the broker ended it with reason code " + std::to_string(static_cast<int>(reason));
    }
}

}  // namespace sluice::bridge::mqtt
