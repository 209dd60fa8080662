#include "agent/rules/rule_snapshot.hpp"

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace sluice::agent {

namespace {

using models::rules::RuleSource;
using nlohmann::json;
using storage::Errc;
using storage::Error;
using storage::Result;

constexpr std::string_view kEnding = ".state";

std::string directory_of(const std::string& data_dir) {
    return data_dir + "/rules";
}

std::string path_of(const std::string& data_dir, const std::string& stream) {
    return directory_of(data_dir) + "/" + stream + std::string(kEnding);
}

json to_json(const models::rules::DeriveSource& derive) {
    return {{"to", derive.to},     {"every", derive.every.count()}, {"fields", derive.fields}, {"drop", derive.drop},
            {"hash", derive.hash}, {"round", derive.round},         {"rename", derive.rename}, {"key", derive.key}};
}

models::rules::DeriveSource derive_of(const json& from) {
    models::rules::DeriveSource derive;
    derive.to = from.at("to");
    derive.every = models::Duration(from.at("every").get<std::int64_t>());
    from.at("fields").get_to(derive.fields);
    from.at("drop").get_to(derive.drop);
    from.at("hash").get_to(derive.hash);
    from.at("round").get_to(derive.round);
    from.at("rename").get_to(derive.rename);
    derive.key = from.at("key");
    return derive;
}

json to_json(const RuleSource& rule) {
    json labels = json::array();
    for (const auto& [name, value] : rule.labels) labels.push_back({name, value});
    json all = {{"name", rule.name},
                {"expr", rule.expr},
                {"where", rule.where},
                {"by", rule.by},
                {"for", rule.for_.count()},
                {"keep_firing_for", rule.keep_firing_for.count()},
                {"lateness", rule.lateness.count()},
                {"severity", rule.severity},
                {"message", rule.message},
                {"labels", labels}};
    if (rule.derive) all["derive"] = to_json(*rule.derive);
    return all;
}

RuleSource rule_of(const json& from) {
    RuleSource rule;
    rule.name = from.at("name");
    rule.expr = from.at("expr");
    rule.where = from.at("where");
    rule.by = from.at("by").get<std::vector<std::string>>();
    rule.for_ = models::Duration(from.at("for").get<std::int64_t>());
    rule.keep_firing_for = models::Duration(from.at("keep_firing_for").get<std::int64_t>());
    rule.lateness = models::Duration(from.at("lateness").get<std::int64_t>());
    rule.severity = from.at("severity");
    rule.message = from.at("message");
    for (const auto& label : from.at("labels")) rule.labels.emplace_back(label.at(0), label.at(1));
    if (from.contains("derive")) rule.derive = derive_of(from.at("derive"));
    return rule;
}

std::string to_text(const SnapshotHeader& header) {
    json rules = json::array();
    for (const auto& rule : header.rules) rules.push_back(to_json(rule));
    json derived = json::object();
    for (const auto& [stream, at] : header.derived_from) derived[stream] = {at.log_id, at.offset};
    return json{{"log_id", header.log_id},
                {"alerts_log_id", header.alerts_log_id},
                {"alerts_from", header.alerts_from},
                {"devices_max", header.devices_max},
                {"rules", rules},
                {"derived_from", derived}}
        .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<SnapshotHeader> header_of(std::string_view text) {
    try {
        const auto from = json::parse(text);
        SnapshotHeader header{
            from.at("log_id"), from.at("alerts_log_id"), from.at("alerts_from"), from.at("devices_max"), {}, {}};
        for (const auto& rule : from.at("rules")) header.rules.push_back(rule_of(rule));
        const auto derived = from.value("derived_from", json::object());
        for (const auto& [stream, at] : derived.items()) {
            header.derived_from[stream] = {at.at(0), at.at(1)};
        }
        return header;
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

/// Writes one file from its beginning; after an error it writes no more.
class Sequential {
 public:
    explicit Sequential(storage::File& file) : file_(file) {}
    void write(std::span<const std::byte> bytes) {
        if (failed_) return;
        if (auto done = file_.write_at(storage::FilePosition(size_), bytes); !done) failed_ = done.error();
        size_ += bytes.size();
    }
    [[nodiscard]] const std::optional<Error>& failed() const { return failed_; }
    [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
    storage::File& file_;
    std::uint64_t size_ = 0;
    std::optional<Error> failed_;
};

}  // namespace

Result<std::uint64_t> store_snapshot(storage::FileSystem& files, const std::string& data_dir, const std::string& stream,
                                     const SnapshotHeader& header,
                                     const std::function<void(models::StateWriter&)>& save) {
    const auto directory = directory_of(data_dir);
    if (auto done = files.make_directories(directory); !done) return done.error();
    const auto path = path_of(data_dir, stream);
    const auto aside = path + ".new";
    auto file = files.open(aside, storage::OpenMode::create);
    if (!file) return file.error();
    if (auto done = (*file)->truncate(0); !done) return done.error();
    Sequential out(**file);
    models::StateWriter writer([&](std::span<const std::byte> bytes) { out.write(bytes); });
    writer.text(to_text(header));
    save(writer);
    writer.finish();
    if (out.failed()) return *out.failed();
    if (auto done = (*file)->sync_data(); !done) return done.error();
    if (auto done = files.rename(aside, path); !done) return done.error();
    if (auto done = files.sync_directory(directory); !done) return done.error();
    return out.size();
}

Result<std::unique_ptr<RuleSnapshot>> RuleSnapshot::load(const std::string& data_dir, const std::string& stream) {
    const auto path = path_of(data_dir, stream);
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return std::unique_ptr<RuleSnapshot>();
    if (fd < 0) return Error::from_errno(errno, "open", path);
    struct stat status {};
    const bool known = ::fstat(fd, &status) == 0 && status.st_size > 0;
    const auto size = static_cast<std::size_t>(status.st_size);
    void* mapped = known ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    ::close(fd);
    if (mapped == MAP_FAILED) return Error(Errc::corrupt, path + " is empty or can't be read");
    std::unique_ptr<RuleSnapshot> snapshot(new RuleSnapshot());
    snapshot->bytes_ = {static_cast<const std::byte*>(mapped), size};
    auto& reader = snapshot->reader_.emplace(snapshot->bytes_);
    auto header = reader.ok() ? header_of(reader.text()) : std::nullopt;
    if (!header) return Error(Errc::corrupt, path + ": " + (reader.ok() ? "it has no header" : reader.fault()));
    snapshot->header_ = std::move(*header);
    return snapshot;
}

RuleSnapshot::~RuleSnapshot() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

std::vector<std::string> streams_with_snapshot(storage::FileSystem& files, const std::string& data_dir) {
    std::vector<std::string> streams;
    const auto names = files.list(directory_of(data_dir));
    if (!names) return streams;
    for (const auto& name : *names) {
        if (name.ends_with(kEnding)) streams.push_back(name.substr(0, name.size() - kEnding.size()));
    }
    return streams;
}

Result<void> remove_snapshot(storage::FileSystem& files, const std::string& data_dir, const std::string& stream) {
    return files.remove(path_of(data_dir, stream));
}

}  // namespace sluice::agent
