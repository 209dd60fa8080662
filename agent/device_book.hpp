// device_book.hpp: the registry of devices across restarts, as a note in the catalog.
//
// Written once an hour and at a stop, without values: it is for "who was here, and when last", and flash is dear. After
// a kill what came since the last time is forgotten, and devices that send are soon there again.
#pragma once

#include "bridge/device_registry.hpp"
#include "bridge/report.hpp"
#include "storage/catalog.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace sluice::agent {

/// What is kept of them; a key that is not UTF-8 is left out.
[[nodiscard]] std::string devices_to_text(const std::vector<bridge::Device>& devices);
/// What can't be read is left out.
[[nodiscard]] std::vector<bridge::Device> devices_from_text(const std::string& text);

class DeviceBook {
 public:
    /// Fills the registry with what an earlier run knew.
    DeviceBook(bridge::DeviceRegistry& devices, storage::Catalog& catalog, bridge::Report report);

    /// Writes when that is due. Call it now and then, on one thread.
    void tick();
    void save();

 private:
    bridge::DeviceRegistry& devices_;
    storage::Catalog& catalog_;
    const bridge::Report report_;
    std::chrono::steady_clock::time_point next_save_;
};

}  // namespace sluice::agent
