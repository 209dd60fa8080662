// memory_file.hpp: a file in memory that counts what is read of it.
#pragma once

#include "storage/file_system.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sluice::test {

class MemoryFile final : public storage::File {
 public:
    explicit MemoryFile(std::vector<std::byte> contents) : bytes(std::move(contents)) {}

    std::vector<std::byte> bytes;
    mutable std::uint64_t bytes_read = 0;

    storage::Result<void> allocate(std::uint64_t size) override {
        if (size > bytes.size()) bytes.resize(size);
        return {};
    }
    storage::Result<void> truncate(std::uint64_t size) override {
        bytes.resize(size);
        return {};
    }
    storage::Result<std::uint64_t> size() const override { return bytes.size(); }
    storage::Result<void> set_modified(storage::Timestamp /*time*/) override { return {}; }
    bool is_open_only_here() override { return true; }

 private:
    storage::Result<void> sync() override { return {}; }
    storage::Result<std::size_t> read_some(storage::FilePosition from, std::span<std::byte> into) const override {
        const auto at = std::min<std::uint64_t>(from.value(), bytes.size());
        const auto part = std::min<std::uint64_t>(into.size(), bytes.size() - at);
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), part, into.begin());
        bytes_read += part;
        return static_cast<std::size_t>(part);
    }
    storage::Result<std::size_t> write_some(storage::FilePosition to, std::span<const std::byte> from) override {
        bytes.resize(std::max<std::uint64_t>(bytes.size(), to.value() + from.size()));
        std::copy(from.begin(), from.end(), bytes.begin() + static_cast<std::ptrdiff_t>(to.value()));
        return from.size();
    }
};

}  // namespace sluice::test
