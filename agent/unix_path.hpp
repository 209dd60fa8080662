// unix_path.hpp: the address of a Unix socket in a directory whose path may be long.
//
// A socket's address holds 107 bytes. A longer path goes by way of the directory's descriptor, in /proc.
#pragma once

#include <string>

namespace sluice::agent {

class UnixPath {
 public:
    UnixPath(const std::string& directory, const std::string& name);
    UnixPath(const UnixPath&) = delete;
    UnixPath& operator=(const UnixPath&) = delete;
    ~UnixPath();

    /// Good for as long as this object lives.
    [[nodiscard]] const std::string& text() const { return text_; }

 private:
    int directory_ = -1;
    std::string text_;
};

}  // namespace sluice::agent
