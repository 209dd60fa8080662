// Any text as a rule's expression: a program or diagnostics that point into the text. What compiles runs over records
// without a fault, gives numbers or booleans as its type says, and survives a snapshot.
//
// Input: the expression, then 0xFF and bytes that make the records.
#include "models/rules/compiler.hpp"
#include "models/rules/rule_set.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

using namespace sluice::models;
using namespace sluice::models::rules;

namespace {

void expect(bool holds) {
    if (!holds) __builtin_trap();
}

void check(const Diagnostics& faults, std::string_view text) {
    expect(!faults.empty());
    for (const auto& fault : faults) {
        expect(fault.place.offset <= text.size() && fault.line >= 1 && fault.column >= 1 && !fault.what.empty());
        expect(!render(fault, text).empty());
    }
}

FieldValue value_of(std::uint8_t byte) {
    static const std::vector<double> array{1, -2, 3};
    switch (byte % 8) {
        case 0:
            return {};
        case 1:
            return {FieldValue::Kind::boolean, byte < 128 ? 0.0 : 1.0, {}, {}};
        case 2:
            return {FieldValue::Kind::text, 0, byte < 128 ? "RUN" : "", {}};
        case 3:
            return {FieldValue::Kind::numbers, 0, {}, array};
        default:
            return {FieldValue::Kind::number, byte / 7.0 - 10, {}, {}};
    }
}

std::vector<std::byte> saved(const RuleSet& set) {
    std::vector<std::byte> bytes;
    StateWriter writer([&](std::span<const std::byte> part) { bytes.insert(bytes.end(), part.begin(), part.end()); });
    set.save(writer);
    writer.finish();
    return bytes;
}

void run(const RuleSource& source, std::string_view records) {
    auto built = RuleSet::build({source}, 2);
    auto* set = std::get_if<RuleSet>(&built);
    expect(set != nullptr);
    std::vector<FieldValue> fields(set->fields().size());
    std::vector<Alert> alerts;
    Time arrival{Duration(1'700'000'000'000)};
    std::int64_t offset = 0;
    for (const char c : records.substr(0, 200)) {
        const auto byte = static_cast<std::uint8_t>(c);
        for (std::size_t i = 0; i < fields.size(); ++i) fields[i] = value_of(static_cast<std::uint8_t>(byte * (i + 1)));
        arrival += Duration(byte * 500);
        const Time time = arrival - Duration((byte % 16) * 10'000);
        set->add({byte % 3 == 0 ? "a" : byte % 3 == 1 ? "b" : "c", time, arrival, offset++, fields}, alerts);
    }
    set->advance(arrival + std::chrono::hours(1), alerts);
    for (const auto& alert : alerts) expect(!alert.message.empty() && alert.start <= alert.at);
    const auto bytes = saved(*set);
    auto again = RuleSet::build({source}, 2);
    StateReader reader(bytes);
    expect(reader.ok() && !std::get<RuleSet>(again).restore(reader, alerts));
    expect(saved(std::get<RuleSet>(again)) == bytes);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto end = std::min(input.find('\xFF'), input.size());
    const auto text = input.substr(0, end);
    FieldTable any;
    const auto compiled = compile(text, any, std::nullopt);
    if (const auto* faults = std::get_if<Diagnostics>(&compiled)) {
        check(*faults, text);
        return 0;
    }
    const auto& program = std::get<Program>(compiled);
    expect(program.state_bytes() <= kStateBytesMax && program.state_bytes() % 8 == 0);
    if (program.type().type != Type::boolean) return 0;
    RuleSource source;
    source.name = "r";
    source.expr = text;
    source.for_ = Duration(size % 7 * 10'000);
    source.keep_firing_for = Duration(size % 5 * 10'000);
    run(source, end < input.size() ? input.substr(end + 1) : std::string_view());
    return 0;
}
