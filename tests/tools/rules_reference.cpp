// rules_reference FILE: writes the functions of the rule language into docs/rules.md, between its markers.
#include "models/rules/reference.hpp"

#include <fstream>
#include <iostream>
#include <sstream>

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: rules_reference docs/rules.md\n";
        return 2;
    }
    std::ifstream in(argv[1]);
    std::stringstream page;
    page << in.rdbuf();
    std::ofstream out(argv[1]);
    out << sluice::models::rules::with_reference(page.str());
    return out.flush() ? 0 : 1;
}
