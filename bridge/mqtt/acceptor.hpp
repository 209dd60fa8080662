// acceptor.hpp: where a server's messages are kept, and how it hears that they are.
#pragma once

#include "bridge/message.hpp"
#include "storage/group_commit.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace sluice::bridge::mqtt {

/// Never blocks. Completions come on another thread, or at once; with an error the message must not be acknowledged,
/// except Errc::invalid: nothing can ever keep it.
class Acceptor {
 public:
    enum class Taken : std::uint8_t {
        fresh,      ///< it will be kept
        replacing,  ///< likewise, and its identifier was of another message that was never released
        duplicate,  ///< of QoS 2: it was taken before
        full,       ///< not taken, `done` is not called: later
    };
    virtual ~Acceptor() = default;

    /// @param source     the sender's name; packet identifiers are its own
    /// @param packet_id  of a message of QoS 2
    [[nodiscard]] virtual Taken try_accept(const std::string& source, const Message& message,
                                           std::optional<std::uint16_t> packet_id, storage::Completion done) = 0;
    /// Frees the identifier of a message of QoS 2. @return whether it was in use
    virtual bool release(const std::string& source, std::uint16_t packet_id, storage::Completion done) = 0;
    /// Frees all of a sender's.
    virtual void release_all(const std::string& source, storage::Completion done) = 0;
};

}  // namespace sluice::bridge::mqtt
