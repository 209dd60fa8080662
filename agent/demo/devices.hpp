// devices.hpp: the demo's simulated plant: pumps that report vibration, temperature and current. One wears out.
//
// They run in a process of their own: Paho has one receive thread a process, which the agent's source holds while a
// record is written.
#pragma once

#include "agent/demo/child_process.hpp"
#include "storage/result.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::agent::demo {

struct PlantOptions {
    int devices = 20;
    int messages_per_second = 500;    ///< of all devices together
    std::chrono::seconds duration{};  ///< the worn pump fails at its end
};

/// The pump that wears out, and the topic that a pump publishes to.
inline constexpr const char* kWornPump = "pump-07";
[[nodiscard]] std::string pump_name(int number);

class Plant {
 public:
    /// Starts the process; the caller must still have one thread only. The devices wait for go().
    [[nodiscard]] static storage::Result<Plant> start(const PlantOptions& options);
    Plant(Plant&& other) noexcept;
    Plant& operator=(Plant&&) = delete;
    Plant(const Plant&) = delete;
    Plant& operator=(const Plant&) = delete;
    ~Plant();

    /// The devices connect to 127.0.0.1:port and publish.
    void go(int port);
    /// They publish no more. What was sent is still acknowledged.
    void finish();

    struct Ledger {
        std::vector<std::uint64_t> acknowledged;  ///< for each device: 0 … n-1 were acknowledged
        bool complete = false;                    ///< all that was sent was acknowledged
        std::string failure;                      ///< why the devices could not publish; empty where they could
    };
    /// After finish(): what was acknowledged. Waits for at most `timeout`.
    [[nodiscard]] Ledger ledger(std::chrono::milliseconds timeout);

 private:
    Plant(ChildProcess process, int commands, int reports);
    ChildProcess process_;
    int commands_;  // pipe to the devices: the port; closed: finish
    int reports_;   // pipe from them: the ledger
};

}  // namespace sluice::agent::demo
