// utf8.hpp: whether bytes are a UTF-8 encoded string as MQTT allows it.
#pragma once

#include <string_view>

namespace sluice::bridge::mqtt {

/// Well-formed UTF-8 without U+0000, surrogates, overlong forms and code points above U+10FFFF.
/// Sources: [MQTT-1.5.4-1], [MQTT-1.5.4-2]; Unicode 15, table 3-7.
[[nodiscard]] bool is_mqtt_text(std::string_view bytes);

}  // namespace sluice::bridge::mqtt
