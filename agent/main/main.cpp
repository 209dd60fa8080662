#include "agent/cli/commands.hpp"

int main(int argc, char** argv) {
    return sluice::agent::run_command_line(argc, argv);
}
