#include "agent/cli/commands.hpp"

// What jemalloc reads at start (its manual, "TUNING"). A gateway has few cores and little memory: two arenas, and what
// is free goes back to the kernel within a second.
extern "C" const char* malloc_conf;
const char* malloc_conf = "narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0";

int main(int argc, char** argv) {
    return sluice::agent::run_command_line(argc, argv);
}
