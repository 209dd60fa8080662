// config_reference FILE: writes what the readers of the configuration say of its keys into docs/configuration.md.
#include "agent/config_reference.hpp"

#include <fstream>
#include <iostream>
#include <sstream>

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: config_reference docs/configuration.md\n";
        return 2;
    }
    std::ifstream in(argv[1]);
    std::stringstream page;
    page << in.rdbuf();
    std::ofstream out(argv[1]);
    out << sluice::agent::with_config_reference(page.str());
    return out.flush() ? 0 : 1;
}
