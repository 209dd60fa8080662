#include "agent/demo/cluster.hpp"

#include "bridge/kafka/mock_cluster.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <utility>
#include <vector>

namespace sluice::agent::demo {

namespace {

class MockCluster final : public Cluster {
 public:
    explicit MockCluster(std::unique_ptr<bridge::kafka::MockCluster> cluster) : cluster_(std::move(cluster)) {}
    std::string name() const override { return "librdkafka's embedded mock cluster (--kafka: a real one)"; }
    std::string brokers() const override { return cluster_->brokers(); }
    void take_away() override { cluster_->take_away(); }
    storage::Result<void> bring_back(Signals& /*signals*/) override {
        cluster_->bring_back();
        return {};
    }
    void abandon() override {}

 private:
    std::unique_ptr<bridge::kafka::MockCluster> cluster_;
};

class CommandCluster final : public Cluster {
 public:
    CommandCluster(std::vector<std::string> command, std::string output, int port)
        : command_(std::move(command)), output_(std::move(output)), port_(port) {}
    std::string name() const override { return "Apache Kafka, one node"; }
    std::string brokers() const override { return "127.0.0.1:" + std::to_string(port_); }
    void take_away() override { process_.reset(); }
    storage::Result<void> bring_back(Signals& signals) override {
        auto process = ChildProcess::run(command_, output_);
        if (!process) return process.error();
        process_.emplace(std::move(*process));
        if (wait_for_port(port_, *process_, std::chrono::seconds(60), signals)) return {};
        return storage::Error(storage::Errc::rejected, "Kafka does not start; its output is in " + output_);
    }
    void abandon() override {
        if (process_) process_->kill();
    }

 private:
    std::vector<std::string> command_;
    std::string output_;
    int port_;
    std::optional<ChildProcess> process_;
};

class Socket {
 public:
    Socket() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

 private:
    int fd_;
};

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

}  // namespace

storage::Result<std::unique_ptr<Cluster>> start_mock_cluster(const std::string& topic, int partitions) {
    auto cluster = bridge::kafka::MockCluster::start(1);
    if (!cluster) return cluster.error();
    static_cast<void>((*cluster)->create_topic(topic, partitions));  // a new cluster: it can't be there
    return std::unique_ptr<Cluster>(std::make_unique<MockCluster>(std::move(*cluster)));
}

storage::Result<std::unique_ptr<Cluster>> start_command_cluster(const std::string& command,
                                                                const std::string& directory, Signals& signals) {
    const auto port = free_port();
    if (!port) return port.error();
    std::vector<std::string> words;
    std::istringstream text(command);
    for (std::string word; text >> word;) words.push_back(word);
    for (const auto& word :
         {std::string("--dir"), directory + "/kafka", std::string("--port"), std::to_string(*port)}) {
        words.push_back(word);
    }
    auto cluster = std::make_unique<CommandCluster>(std::move(words), directory + "/kafka.out", *port);
    if (auto done = cluster->bring_back(signals); !done) {
        cluster->abandon();
        return done.error();
    }
    return std::unique_ptr<Cluster>(std::move(cluster));
}

storage::Result<int> free_port() {
    const Socket socket;
    auto address = loopback(0);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket.get(), generic, size) != 0 || ::getsockname(socket.get(), generic, &size) != 0) {
        return storage::Error::from_errno(errno, "find a free port on", "127.0.0.1");
    }
    return ntohs(address.sin_port);
}

bool wait_for_port(int port, ChildProcess& process, std::chrono::milliseconds patience, Signals& signals) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (process.is_running() && std::chrono::steady_clock::now() < deadline) {
        const Socket socket;
        const auto address = loopback(port);
        if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
        if (signals.wait_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(50))) return false;
    }
    return false;
}

}  // namespace sluice::agent::demo
