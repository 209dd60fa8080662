#include "agent/unix_path.hpp"

#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

namespace sluice::agent {

UnixPath::UnixPath(const std::string& directory, const std::string& name) : text_(directory + "/" + name) {
    if (text_.size() < sizeof(sockaddr_un::sun_path)) return;
    directory_ = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory_ >= 0) text_ = "/proc/self/fd/" + std::to_string(directory_) + "/" + name;
}

UnixPath::~UnixPath() {
    if (directory_ >= 0) ::close(directory_);
}

}  // namespace sluice::agent
