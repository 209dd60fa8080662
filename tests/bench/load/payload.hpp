// payload.hpp: telemetry texts of one length, different each, and cheap enough not to be what is measured.
//
// A pool is made ahead; a message is one of it with its own number and time written into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::load {

class PayloadPool {
 public:
    /// The shortest that has a place for number, time and samples.
    static constexpr std::size_t kBytesMin = 64;

    explicit PayloadPool(std::size_t bytes);

    /// JSON of exactly as many bytes as were asked for. Valid until the next call.
    [[nodiscard]] std::string_view next();

 private:
    std::vector<std::string> texts_;
    std::uint64_t number_ = 0;
};

}  // namespace sluice::load
