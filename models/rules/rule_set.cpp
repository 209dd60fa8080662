#include "models/rules/rule_set.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace sluice::models::rules {

namespace {

constexpr Duration kClockSetBackAfter = std::chrono::minutes(5);

AlertState& alert_state(const Rule& rule, const Device& device) {
    return *reinterpret_cast<AlertState*>(device.state() + rule.state);
}
std::byte* program_state(const Rule& rule, const Device& device) {
    return device.state() + rule.state + sizeof(AlertState);
}

/// The last moment of the interval that is open. Of a derivation, `pending` is an open interval and since_ms its start.
Time interval_end(const Rule& rule, const Device& device) {
    const auto& interval = alert_state(rule, device);
    if (interval.phase != AlertState::Phase::pending) return kNever;
    return Time(Duration(interval.since_ms) + rule.source.derive->every - Duration(1));
}

/// Intervals begin at multiples of their length, as the hours of a day do.
std::int64_t interval_start(Time now, Duration every) {
    const auto ms = to_ms(now);
    const auto length = every.count();
    return ms - ((ms % length) + length) % length;
}

}  // namespace

std::variant<RuleSet, std::vector<RuleDiagnostic>> RuleSet::build(const std::vector<RuleSource>& sources,
                                                                  std::size_t devices_max) {
    RuleSet set;
    std::vector<RuleDiagnostic> faults;
    for (const auto& source : sources) {
        if (std::count_if(sources.begin(), sources.end(), [&](const auto& s) { return s.name == source.name; }) > 1) {
            faults.push_back({source.name, "name",
                              diagnostic(source.name, {0, source.name.size()}, "two rules have this name",
                                         "alerts are known by it")});
        }
        auto slots = compile_by(source, set.fields_);
        if (auto* fault = std::get_if<RuleDiagnostic>(&slots)) faults.push_back(std::move(*fault));
        auto compiled = compile_rule(source, set.fields_);
        if (auto* more = std::get_if<std::vector<RuleDiagnostic>>(&compiled)) {
            faults.insert(faults.end(), std::make_move_iterator(more->begin()), std::make_move_iterator(more->end()));
        }
        if (!faults.empty()) continue;
        auto& rule = std::get<Rule>(compiled);
        if (rule.derives() && !rule.remembers()) {
            set.values_.resize(std::max(set.values_.size(), rule.values()));
            set.maps_.push_back(std::move(rule));
            continue;
        }
        auto group =
            std::find_if(set.groups_.begin(), set.groups_.end(), [&](const auto& g) { return g.by == source.by; });
        if (group == set.groups_.end()) {
            group = set.groups_.insert(group, Group{source.by, std::get<std::vector<std::size_t>>(slots), {}});
        }
        rule.state = group->state_bytes;
        group->state_bytes += rule.state_bytes();
        group->lateness_max = std::max(group->lateness_max, source.lateness);
        set.values_.resize(std::max(set.values_.size(), rule.values()));
        group->rules.push_back(std::move(rule));
    }
    if (!faults.empty()) return faults;
    set.devices_max_ = std::max<std::size_t>(devices_max, 1);
    for (auto& group : set.groups_) group.devices = DeviceTable(set.devices_max_, group.state_bytes);
    return set;
}

void RuleSet::add(const RecordView& record, std::vector<Alert>& alerts) {
    advance(record.arrival, alerts);
    ++counters_.records;
    newest_arrival_ = std::max(newest_arrival_, record.arrival);
    const Time time = record.timestamp.value_or(record.arrival);
    for (const auto& rule : maps_) map(rule, record, time);
    for (std::uint32_t g = 0; g < groups_.size(); ++g) {
        if (!device_name(groups_[g], record)) {
            ++counters_.without_device;
            continue;
        }
        add_to(device_of(g, time, alerts), record, time, alerts);
    }
}

bool RuleSet::device_name(const Group& group, const RecordView& record) {
    name_.clear();
    if (group.by.empty()) {
        name_ = record.key;
        return true;
    }
    for (const auto slot : group.slots) {
        if (slot != group.slots.front()) name_ += '/';
        const auto& value = record.fields[slot];
        if (value.kind == FieldValue::Kind::text) {
            name_ += value.text;
        } else if (value.kind == FieldValue::Kind::number || value.kind == FieldValue::Kind::boolean) {
            std::array<char, 32> text{};
            const auto end = std::to_chars(text.data(), text.data() + text.size(), value.number).ptr;
            name_.append(text.data(), end);
        } else {
            return false;
        }
    }
    return true;
}

RuleSet::At RuleSet::device_of(std::uint32_t group_index, Time time, std::vector<Alert>& alerts) {
    auto& group = groups_[group_index];
    auto index = group.devices.find(name_);
    if (index != DeviceTable::kNone) {
        group.devices.touch(index);
        return {group, group_index, index, group.devices[index]};
    }
    if (group.devices.full()) {
        const auto oldest = group.devices.oldest();
        end_all({group, group_index, oldest, group.devices[oldest]}, Alert::Reason::evicted, alerts);
        group.devices.evict();
        ++counters_.evicted;
    }
    index = group.devices.add(name_);
    const At at{group, group_index, index, group.devices[index]};
    at.device.now = time;
    for (const auto& rule : group.rules) {
        alert_state(rule, at.device) = AlertState{};
        rule.start(program_state(rule, at.device), time);
    }
    return at;
}

void RuleSet::add_to(At at, const RecordView& record, Time time, std::vector<Alert>& alerts) {
    auto& device = at.device;
    if (is_too_late(at, record, time)) return;
    const bool in_order = time >= device.newest;
    if (in_order) {
        run_due(at, time, alerts);
        device.newest = time;
        device.arrival = newest_arrival_;
        device.now = std::max(device.now, time);
        device.last_offset = record.offset;
    } else {
        ++counters_.out_of_order;
    }
    const Program::Moment moment{&record, device.name, time, device.now};
    for (const auto& rule : at.group.rules) {
        if (time < device.newest - rule.source.lateness) {
            ++counters_.late;
            continue;
        }
        if (rule.where && rule.where->evaluate(moment, {}) != 1) continue;
        if (rule.derives()) {
            feed(at, rule, moment);
            continue;
        }
        rule.program.update(program_state(rule, device), moment, values_);
        if (in_order) judge(at, rule, moment, alerts);
    }
    schedule(at);  // what is out of order may open an interval too
}

/// Whether no rule may use it. Notices that the device's clock was set back; the record is then the first of the new
/// time.
bool RuleSet::is_too_late(At at, const RecordView& record, Time time) {
    auto& device = at.device;
    if (device.newest == kLongAgo || time >= device.newest - at.group.lateness_max) {
        device.late_since = kNever;
        return false;
    }
    if (device.late_since == kNever) device.late_since = record.arrival;
    if (record.arrival - device.late_since >= std::max(kClockSetBackAfter, at.group.lateness_max)) {
        start_anew(at, time);
        ++counters_.clocks_set_back;
        return false;
    }
    counters_.late += at.group.rules.size();
    return true;
}

/// Windows start at `time`, which is before what they held; alerts that fire go on.
void RuleSet::start_anew(At at, Time time) {
    for (const auto& rule : at.group.rules) {
        if (rule.derives()) end_interval(at, rule);
        auto& state = alert_state(rule, at.device);
        if (state.phase != AlertState::Phase::firing) state = AlertState{};
        state.cleared_ms = AlertState::kHolds;
        rule.start(program_state(rule, at.device), time);
    }
    at.device.newest = kLongAgo;
    at.device.now = time;
    at.device.late_since = kNever;
}

// Derivations

/// One record at a time: it is never too late, nor out of order.
void RuleSet::map(const Rule& rule, const RecordView& record, Time time) {
    const Program::Moment moment{&record, record.key, time, time};
    if (rule.where && rule.where->evaluate(moment, {}) != 1) return;
    derive(rule, nullptr, moment, time, time);
}

void RuleSet::feed(At at, const Rule& rule, const Program::Moment& moment) {
    const auto every = rule.source.derive->every;
    auto* state = program_state(rule, at.device);
    if (every.count() == 0) return derive(rule, state, moment, moment.time, moment.time);
    auto& interval = alert_state(rule, at.device);
    if (interval.phase == AlertState::Phase::idle) {
        interval.phase = AlertState::Phase::pending;
        interval.since_ms = interval_start(moment.now, every);
    }
    auto since = moment;
    since.since = Time(Duration(interval.since_ms));
    rule.each_program([&](const Program& p, std::size_t where) { p.update(state + where, since, values_); });
}

void RuleSet::end_interval(At at, const Rule& rule) {
    const auto last = interval_end(rule, at.device);
    if (last == kNever) return;
    const auto end = last + Duration(1);
    auto* state = program_state(rule, at.device);
    const Program::Moment moment{nullptr, at.device.name, at.device.now, at.device.now};
    derive(rule, state, moment, end - rule.source.derive->every, end);
    alert_state(rule, at.device) = AlertState{};
    rule.each_program([&](const Program& p, std::size_t where) { p.begin_anew(state + where, end); });
}

void RuleSet::derive(const Rule& rule, std::byte* state, const Program::Moment& moment, Time time, Time end) {
    Derived said{&rule, std::string(moment.device), time, end, {}};
    for (const auto& field : rule.fields) {
        auto& value = said.values.emplace_back();
        if (!field.program) continue;
        const auto& program = *field.program;
        if (moment.record != nullptr)
            program.update(state + field.state, moment, values_);
        else
            program.refresh(state + field.state, moment.now, values_);
        if (program.type().type == Type::text) {
            const auto text = program.evaluate_text(moment);
            if (text.data() != nullptr) value = std::string(text);
            continue;
        }
        const double number = program.evaluate(moment, values_);
        if (!std::isfinite(number)) continue;
        if (program.type().type == Type::boolean)
            value = number != 0;
        else
            value = number;
    }
    derived_.push_back(std::move(said));
}

// Alerts

void RuleSet::judge(At at, const Rule& rule, const Program::Moment& moment, std::vector<Alert>& alerts) {
    auto& state = alert_state(rule, at.device);
    const double condition = rule.program.evaluate(moment, values_);
    const auto step = state.step(condition, moment.now, at.device.last_offset, rule.hold);
    if (step == AlertState::Step::none) return;
    auto said = alert(rule, at.device, moment);
    if (step == AlertState::Step::resolved) {
        said.change = Alert::Change::resolved;
        --firing_;
    } else {
        ++firing_;
    }
    said.message = rule.message.fill(said);
    alerts.push_back(std::move(said));
}

Alert RuleSet::alert(const Rule& rule, const Device& device, const Program::Moment& moment) const {
    const auto& state = alert_state(rule, device);
    Alert said;
    said.rule = rule.source.name;
    said.device = device.name;
    said.start = Time(Duration(state.since_ms));
    said.at = moment.now;
    said.severity = rule.source.severity;
    said.labels = rule.source.labels;
    said.window = rule.program.window();
    said.first_offset = state.first_offset;
    said.last_offset = device.last_offset;
    said.observations = rule.program.observe(moment, values_);
    const auto holds =
        std::find_if(said.observations.begin(), said.observations.end(), [](const auto& o) { return o.holds; });
    if (!said.observations.empty()) {
        const auto& first = holds == said.observations.end() ? said.observations.front() : *holds;
        said.value = first.value;
        said.threshold = first.threshold;
        said.condition = first.threshold.empty() ? first.text : first.text + ' ' + first.threshold;
    }
    return said;
}

void RuleSet::end_all(At at, Alert::Reason reason, std::vector<Alert>& alerts) {
    for (const auto& rule : at.group.rules) {
        if (rule.derives()) end_interval(at, rule);
        if (alert_state(rule, at.device).phase != AlertState::Phase::firing) continue;
        rule.program.refresh(program_state(rule, at.device), at.device.now, values_);
        auto said = alert(rule, at.device, {nullptr, at.device.name, at.device.now, at.device.now});
        said.change = Alert::Change::resolved;
        said.reason = reason;
        said.message = rule.message.fill(said);
        alerts.push_back(std::move(said));
        --firing_;
    }
}

// Time

Time RuleSet::due(const Rule& rule, const Device& device) const {
    if (rule.derives()) return interval_end(rule, device);
    return std::min(alert_state(rule, device).due(rule.hold),
                    rule.program.next_change(program_state(rule, device), device.now));
}

Time RuleSet::due(const At& at) const {
    Time first = kNever;
    for (const auto& rule : at.group.rules) first = std::min(first, due(rule, at.device));
    return first;
}

/// Evaluates what is due before `before` of the device's time, each at its moment.
void RuleSet::run_due(At at, Time before, std::vector<Alert>& alerts) {
    for (Time next = due(at); next < before; next = due(at)) {
        // Which rules: those that are due at this moment, found before `now` moves on.
        auto& device = at.device;
        const Time last = device.now;
        for (const auto& rule : at.group.rules) {
            device.now = last;
            if (due(rule, device) > next) continue;
            device.now = std::max(next, last);
            if (rule.derives()) {
                end_interval(at, rule);
                continue;
            }
            rule.program.refresh(program_state(rule, device), device.now, values_);
            judge(at, rule, {nullptr, device.name, device.now, device.now}, alerts);
        }
        device.now = std::max(next, last);
    }
}

void RuleSet::schedule(At at) {
    const Time next = due(at);
    if (next == kNever) return;
    const Time arrival = at.device.arrival_of(next);
    if (arrival >= at.device.scheduled) return;  // looked at earlier than needed, and put off then
    at.device.scheduled = arrival;
    timers_.push({arrival, at.group_index, at.device.serial, at.index});
}

void RuleSet::advance(Time now, std::vector<Alert>& alerts) {
    while (!timers_.empty() && timers_.top().due < now) {
        const auto timer = timers_.top();
        timers_.pop();
        auto& group = groups_[timer.group];
        auto& device = group.devices[timer.device];
        if (device.serial != timer.serial || device.scheduled != timer.due) continue;  // evicted, or looked at since
        device.scheduled = kNever;
        const At at{group, timer.group, timer.device, device};
        const Time next = due(at);
        if (next != kNever && device.arrival_of(next) <= timer.due) run_due(at, next + Duration(1), alerts);
        schedule(at);
    }
}

std::vector<const Rule*> RuleSet::rules() const {
    std::vector<const Rule*> all;
    for (const auto& group : groups_) {
        for (const auto& rule : group.rules) all.push_back(&rule);
    }
    for (const auto& rule : maps_) all.push_back(&rule);
    return all;
}

std::size_t RuleSet::devices() const {
    std::size_t all = 0;
    for (const auto& group : groups_) all += group.devices.size();
    return all;
}

std::size_t RuleSet::device_bytes() const {
    std::size_t all = 0;
    for (const auto& group : groups_) all += group.state_bytes;
    return all;
}

}  // namespace sluice::models::rules
