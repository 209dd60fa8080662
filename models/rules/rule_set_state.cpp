// The snapshot of a rule set. After what state.hpp says, in this order:
//   newest arrival, six counters, number of groups; for each group:
//     its `by`; its rules: name, fingerprint of the windows, bytes of state; the next serial number; its devices, from
//     the one that is evicted next to the youngest: name, times, offset, serial number, the states of all rules
#include "models/rules/rule_set.hpp"

#include <algorithm>
#include <cstring>

namespace sluice::models::rules {

namespace {

Time time_of(std::int64_t ms) {
    return Time(Duration(ms));
}

Alert removed(const std::string& rule, const Device& device, const AlertState& state) {
    Alert said;
    said.change = Alert::Change::resolved;
    said.reason = Alert::Reason::rule_removed;
    said.rule = rule;
    said.device = device.name;
    said.start = time_of(state.since_ms);
    said.at = device.now;
    said.first_offset = state.first_offset;
    said.last_offset = device.last_offset;
    return said;
}

}  // namespace

void RuleSet::save(StateWriter& writer) const {
    writer.i64(to_ms(newest_arrival_));
    for (const auto count : {counters_.records, counters_.late, counters_.out_of_order, counters_.without_device,
                             counters_.evicted, counters_.clocks_set_back}) {
        writer.u64(count);
    }
    writer.u32(static_cast<std::uint32_t>(groups_.size()));
    for (const auto& group : groups_) {
        writer.u32(static_cast<std::uint32_t>(group.by.size()));
        for (const auto& path : group.by) writer.text(path);
        writer.u32(static_cast<std::uint32_t>(group.rules.size()));
        for (const auto& rule : group.rules) {
            writer.text(rule.state_name());
            writer.u64(rule.fingerprint());
            writer.u32(static_cast<std::uint32_t>(rule.state_bytes()));
        }
        writer.u64(group.devices.next_serial());
        writer.u32(static_cast<std::uint32_t>(group.devices.size()));
        group.devices.each([&](DeviceTable::Index index) {
            const auto& device = group.devices[index];
            writer.text(device.name);
            for (const auto time : {device.newest, device.arrival, device.now, device.late_since})
                writer.i64(to_ms(time));
            writer.i64(device.last_offset);
            writer.u64(device.serial);
            writer.bytes({device.state(), group.state_bytes});
        });
    }
}

std::vector<RuleSet::SavedRule> RuleSet::read_rules(StateReader& reader, const Group* group) {
    std::vector<SavedRule> saved;
    for (auto count = reader.u32(); count > 0 && reader.ok(); --count) {
        SavedRule rule{std::string(reader.text())};
        const auto fingerprint = reader.u64();
        rule.bytes = reader.u32();
        if (rule.bytes < sizeof(AlertState)) reader.fail("a rule's state is too short");
        if (group != nullptr) {
            const auto here = std::find_if(group->rules.begin(), group->rules.end(),
                                           [&](const Rule& r) { return r.state_name() == rule.name; });
            if (here != group->rules.end()) rule.rule = &*here;
        }
        rule.same_windows =
            rule.rule != nullptr && rule.rule->fingerprint() == fingerprint && rule.rule->state_bytes() == rule.bytes;
        saved.push_back(std::move(rule));
    }
    return saved;
}

/// @param table  nullptr where there is no room, or no rule for it: only alerts end
void RuleSet::read_device(StateReader& reader, const Group* group, DeviceTable* table,
                          const std::vector<SavedRule>& rules, std::vector<Alert>& alerts) {
    Device none;
    const auto name = reader.text();
    if (table != nullptr && table->find(name) != DeviceTable::kNone) reader.fail("a device is in it twice");
    if (!reader.ok()) return;
    auto& device = table == nullptr ? none : (*table)[table->add(name)];
    device.name = name;
    device.newest = time_of(reader.i64());
    device.arrival = time_of(reader.i64());
    device.now = time_of(reader.i64());
    device.late_since = time_of(reader.i64());
    device.last_offset = reader.i64();
    device.serial = reader.u64();
    if (table != nullptr) {
        for (const auto& rule : group->rules) {
            const auto state = AlertState{};
            std::memcpy(device.state() + rule.state, &state, sizeof state);
            rule.start(device.state() + rule.state + sizeof(AlertState), device.now);
        }
    }
    for (const auto& saved : rules) {
        const auto bytes = reader.bytes(saved.bytes);
        if (!reader.ok()) return;
        AlertState state;
        std::memcpy(&state, bytes.data(), sizeof state);
        if (state.phase > AlertState::Phase::firing) return reader.fail("an alert is in no known phase");
        if (table != nullptr && saved.rule != nullptr) {
            const auto alone = saved.rule->derives() ? 0 : sizeof state;  // an interval without its windows is none
            std::memcpy(device.state() + saved.rule->state, bytes.data(), saved.same_windows ? bytes.size() : alone);
        } else if (state.phase == AlertState::Phase::firing) {
            alerts.push_back(removed(saved.name, device, state));
            if (saved.rule != nullptr) alerts.back().reason = Alert::Reason::evicted;
        }
    }
}

std::optional<std::string> RuleSet::restore(StateReader& reader, std::vector<Alert>& alerts) {
    std::vector<DeviceTable> tables;
    for (const auto& group : groups_) tables.emplace_back(devices_max_, group.state_bytes);
    std::vector<Alert> ended;
    const Time newest_arrival = time_of(reader.i64());
    RuleSetCounters counters;
    for (auto* count : {&counters.records, &counters.late, &counters.out_of_order, &counters.without_device,
                        &counters.evicted, &counters.clocks_set_back}) {
        *count = reader.u64();
    }
    for (auto groups = reader.u32(); groups > 0 && reader.ok(); --groups) {
        std::vector<std::string> by;
        for (auto count = reader.u32(); count > 0 && reader.ok(); --count) by.emplace_back(reader.text());
        const auto here = std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) { return g.by == by; });
        const Group* group = here == groups_.end() ? nullptr : &*here;
        DeviceTable* table = group == nullptr ? nullptr : &tables[static_cast<std::size_t>(here - groups_.begin())];
        const auto rules = read_rules(reader, group);
        const auto serial = reader.u64();
        const std::size_t count = reader.u32();
        for (std::size_t i = 0; i < count && reader.ok(); ++i) {
            const bool room = table != nullptr && count - i <= devices_max_ && !table->full();
            read_device(reader, group, room ? table : nullptr, rules, ended);
        }
        if (table != nullptr) table->next_serial(serial);  // add() has counted too
    }
    if (reader.ok() && !reader.at_end()) reader.fail("there is more in it than belongs there");
    if (!reader.ok()) return reader.fault();
    for (std::size_t i = 0; i < groups_.size(); ++i) groups_[i].devices = std::move(tables[i]);
    newest_arrival_ = newest_arrival;
    counters_ = counters;
    count_and_schedule();
    alerts.insert(alerts.end(), std::make_move_iterator(ended.begin()), std::make_move_iterator(ended.end()));
    return std::nullopt;
}

void RuleSet::count_and_schedule() {
    timers_ = {};
    firing_ = 0;
    for (std::uint32_t g = 0; g < groups_.size(); ++g) {
        auto& group = groups_[g];
        group.devices.each([&](DeviceTable::Index index) {
            auto& device = group.devices[index];
            device.scheduled = kNever;
            schedule({group, g, index, device});
            for (const auto& rule : group.rules) {
                AlertState state;
                std::memcpy(&state, device.state() + rule.state, sizeof state);
                firing_ += state.phase == AlertState::Phase::firing ? 1 : 0;
            }
        });
    }
}

}  // namespace sluice::models::rules
