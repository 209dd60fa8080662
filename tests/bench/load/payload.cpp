#include "tests/bench/load/payload.hpp"

#include <charconv>
#include <random>

namespace sluice::load {
namespace {

constexpr std::size_t kTexts = 1024;
// Numbers of which every one has as many digits, so that they can be written over each other.
constexpr std::uint64_t kFirstNumber = 1'000'000'000;
constexpr std::uint64_t kFirstTimestamp = 1'700'000'000'000;
constexpr std::string_view kBegin = R"({"seq":1000000000,"ts":1700000000000,"samples":[)";
constexpr std::string_view kEnd = "1]}";
constexpr std::size_t kNumberAt = kBegin.find("1000");
constexpr std::size_t kTimestampAt = kBegin.find("1700");

std::string make_text(std::size_t bytes, std::minstd_rand& random) {
    std::string text(kBegin);
    while (text.size() + kEnd.size() < bytes) text += std::to_string(1000 + random() % 9000) + ',';
    text.resize(bytes - kEnd.size());
    if (text.back() == ',')
        text.back() = '7';  // no digit may be missing between a comma and the end's digit, or be cut
    return text.append(kEnd);
}

void write_number(std::string& text, std::size_t at, std::uint64_t number) {
    std::to_chars(text.data() + at, text.data() + text.size(), number);
}

}  // namespace

PayloadPool::PayloadPool(std::size_t bytes) {
    std::minstd_rand random(1);  // NOLINT(cert-msc51-cpp): the same load each time
    for (std::size_t i = 0; i < kTexts; ++i) texts_.push_back(make_text(bytes, random));
}

std::string_view PayloadPool::next() {
    auto& text = texts_[number_ % texts_.size()];
    write_number(text, kNumberAt, kFirstNumber + number_);
    write_number(text, kTimestampAt, kFirstTimestamp + number_);
    ++number_;
    return text;
}

}  // namespace sluice::load
