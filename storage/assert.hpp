// assert.hpp: invariants that hold in every build. A process that broke one must not go on to write to disk.
#pragma once

namespace sluice::storage {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;
}

/// Ends the process with a message when `condition` is false. Active in release builds too.
#define SLUICE_ASSERT(condition) \
    ((condition) ? static_cast<void>(0) : ::sluice::storage::assertion_failed(#condition, __FILE__, __LINE__))
