// connect_fault.hpp: why a broker can't be reached, in words that tell a person what to mend.
//
// Paho says no more than "TCP/TLS connect failure", and the TLS error handler of its C++ API is called with an object
// that is gone. So after a failed attempt we go the same way once more by ourselves: name, connection, TLS.
#pragma once

#include "bridge/mqtt/source_options.hpp"

#include <string>

namespace sluice::bridge::mqtt {

/// Connects to the broker, without a word of MQTT, and hangs up. Blocks for some seconds at most.
/// @return what failed, or, where nothing did, what else may keep a broker from answering
[[nodiscard]] std::string connect_fault(const SourceOptions& source);

}  // namespace sluice::bridge::mqtt
