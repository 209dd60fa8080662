#include "agent/config_text_file.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

namespace sluice::agent {

using storage::Errc;
using storage::Error;

storage::Result<std::string> read_text_file(const std::string& path, std::size_t bytes_max) {
    struct Close {
        void operator()(std::FILE* file) const { static_cast<void>(std::fclose(file)); }
    };
    const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "re"));
    if (!file) return Error::from_errno(errno, "read", path);
    std::string text;
    std::array<char, 4096> part{};
    while (text.size() <= bytes_max) {
        const auto got = std::fread(part.data(), 1, part.size(), file.get());
        text.append(part.data(), got);
        if (got < part.size()) break;
    }
    if (std::ferror(file.get()) != 0) return Error::from_errno(errno, "read", path);
    if (text.size() > bytes_max) return Error(Errc::invalid, path + " is too large");
    return text;
}

}  // namespace sluice::agent
