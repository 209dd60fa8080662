// support.hpp: files and captured output for the tests of the agent.
#pragma once

#include "agent/config_file.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace sluice::test {

/// A directory for the files that a test writes.
class ConfigDir : public TempDir {
 public:
    /// Readable by the owner only, so that a password in it is no warning.
    std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
        const std::filesystem::path file = *this / name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
        ::chmod(file.c_str(), mode);
        return file.string();
    }
};

/// What was written to std::cout and std::cerr while it lives.
class Captured {
 public:
    Captured() : out_before_(std::cout.rdbuf(out_.rdbuf())), err_before_(std::cerr.rdbuf(err_.rdbuf())) {}
    Captured(const Captured&) = delete;
    Captured& operator=(const Captured&) = delete;
    ~Captured() {
        std::cout.rdbuf(out_before_);
        std::cerr.rdbuf(err_before_);
    }
    [[nodiscard]] std::string out() const { return out_.str(); }
    [[nodiscard]] std::string err() const { return err_.str(); }

 private:
    std::ostringstream out_;
    std::ostringstream err_;
    std::streambuf* out_before_;
    std::streambuf* err_before_;
};

/// A configuration without a fault, on line 1 to 7, to which a test adds what it is about, from line 8 on.
inline const std::string kGood =
    "[[source.mqtt]]\n"
    "url = \"mqtt://broker\"\n"
    "topics = [\"a/#\"]\n"
    "[[route]]\n"
    "topic = \"a/{device}\"\n"
    "stream = \"telemetry\"\n"
    "\n";

/// Errors and warnings, each without the directory it is in.
inline std::string faults(const ConfigDir& dir, const agent::LoadedConfig& loaded) {
    auto text = loaded.text();
    for (std::size_t at = 0; (at = text.find(dir.path() + "/", at)) != std::string::npos;) {
        text.erase(at, dir.path().size() + 1);
    }
    return text;
}

inline std::string faults_of(const std::string& toml, const agent::ConfigOverrides& overrides = {}) {
    const ConfigDir dir;
    return faults(dir, agent::load_config(dir.write("s.toml", toml), overrides));
}

}  // namespace sluice::test
