// rule_set.hpp: all rules of a stream: takes its records in order, gives alerts, and records that are derived.
//
// Time. Each device has its own clock: the time of its newest record, plus what has passed on the gateway's clock since
// that record arrived. Windows, `for` and silence run on it, so that a device whose clock is wrong, or that sends a
// backlog, is judged by its own time. A record without a timestamp has its time of arrival. Order. A record older than
// the device's newest feeds the windows, and doesn't itself change a verdict: the next one in order does. One that is
// older by more than the rule's lateness is counted and not used. Where a device sends nothing but late records for
// five minutes of arrival (or the lateness, where that is longer), its clock was set back: its windows start anew.
// Replay. add() and advance() read nothing but their arguments. The same records, and the last advance(), give the same
// alerts however often advance() was called between them: what is due in between is evaluated at the moment it was due.
// Intervals. A derivation that writes `every` so often does so at the last moment of an interval in which the device
// sent something, before anything later is seen; each value counts in one interval, that of its arrival among the
// others. Memory. max_devices times device_bytes(), and nothing that grows with the records. Not thread-safe; owned by
// one thread.
#pragma once

#include "models/alert.hpp"
#include "models/record_view.hpp"
#include "models/rules/device_table.hpp"
#include "models/rules/rule.hpp"
#include "models/state.hpp"

#include <optional>
#include <queue>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

namespace sluice::models::rules {

struct RuleSetCounters {
    std::uint64_t records = 0;
    std::uint64_t late = 0;            ///< records that a rule did not use because they came too late, once a rule
    std::uint64_t out_of_order = 0;    ///< records that fed windows only
    std::uint64_t without_device = 0;  ///< records without a field of `by`, once a `by`
    std::uint64_t evicted = 0;         ///< devices that made room
    std::uint64_t clocks_set_back = 0;
};

/// What a derivation says of a record, or of an interval.
struct Derived {
    using Value = std::variant<std::monostate, double, bool, std::string>;
    const Rule* rule = nullptr;  ///< as long as the rule set
    std::string device;
    Time time;                  ///< of the record; or the start of the interval, …
    Time end;                   ///< … and its end
    std::vector<Value> values;  ///< of rule->fields; of those that are copied, none
};

class RuleSet {
 public:
    static constexpr std::size_t kDevicesMax = 10'000;

    /// Checks and compiles; reports all that is wrong with any rule. Names must differ.
    static std::variant<RuleSet, std::vector<RuleDiagnostic>> build(const std::vector<RuleSource>& sources,
                                                                    std::size_t devices_max = kDevicesMax);

    /// What a decoder has to extract: RecordView::fields has a value for each of its paths.
    [[nodiscard]] const FieldTable& fields() const { return fields_; }

    /// Takes the next record. What was due before it is evaluated first. Appends to `alerts`.
    void add(const RecordView& record, std::vector<Alert>& alerts);

    /// Lets the gateway's time go on to `now`, so that silence is noticed without records. Every record that is still
    /// to come must arrive at `now` or later; what is due at `now` or later stays.
    void advance(Time now, std::vector<Alert>& alerts);

    /// What derivations have said since it was emptied, in order: whoever calls add() and advance() empties it.
    [[nodiscard]] std::vector<Derived>& derived() { return derived_; }

    /// When advance() has something to do next; kNever where it hasn't.
    [[nodiscard]] Time next_due() const { return timers_.empty() ? kNever : timers_.top().due; }

    /// All rules, those of the same `by` together; then derivations without memory.
    [[nodiscard]] std::vector<const Rule*> rules() const;
    [[nodiscard]] std::size_t devices_max() const { return devices_max_; }
    [[nodiscard]] const RuleSetCounters& counters() const { return counters_; }
    [[nodiscard]] std::size_t devices() const;
    [[nodiscard]] std::size_t firing() const { return firing_; }
    /// Bytes for each device of all rules, without its name and places in tables (some 300 bytes).
    [[nodiscard]] std::size_t device_bytes() const;

    /// Writes all state; restore() of a rule set of the same rules goes on from there.
    void save(StateWriter& writer) const;
    /// Takes over the state of the rules that are still there: windows where the expression's are the same, else the
    /// alert alone. Appends to `alerts` the end of those whose rule is not there any more.
    /// @return why the snapshot can't be used; the rule set is then as before
    [[nodiscard]] std::optional<std::string> restore(StateReader& reader, std::vector<Alert>& alerts);

 private:
    /// Rules with the same `by`: they share the devices.
    struct Group {
        std::vector<std::string> by;
        std::vector<std::size_t> slots;
        std::vector<Rule> rules;
        Duration lateness_max{0};
        std::size_t state_bytes = 0;
        DeviceTable devices{0, 0};
    };
    struct Timer {
        Time due;  // arrival time
        std::uint32_t group;
        std::uint64_t serial;
        DeviceTable::Index device;
        bool operator<(const Timer& other) const {  // the queue's top is the greatest: the one that is due first
            return std::tie(due, group, serial) > std::tie(other.due, other.group, other.serial);
        }
    };
    /// A device of a group, while it is being worked on.
    struct At {
        Group& group;
        std::uint32_t group_index;
        DeviceTable::Index index;
        Device& device;
    };

    [[nodiscard]] bool device_name(const Group& group, const RecordView& record);
    [[nodiscard]] At device_of(std::uint32_t group_index, Time time, std::vector<Alert>& alerts);
    void add_to(At at, const RecordView& record, Time time, std::vector<Alert>& alerts);
    bool is_too_late(At at, const RecordView& record, Time time);
    void start_anew(At at, Time time);
    void map(const Rule& rule, const RecordView& record, Time time);
    void feed(At at, const Rule& rule, const Program::Moment& moment);
    void end_interval(At at, const Rule& rule);
    void derive(const Rule& rule, std::byte* state, const Program::Moment& moment, Time time, Time end);
    void judge(At at, const Rule& rule, const Program::Moment& moment, std::vector<Alert>& alerts);
    void run_due(At at, Time before, std::vector<Alert>& alerts);
    void schedule(At at);
    [[nodiscard]] Time due(const Rule& rule, const Device& device) const;
    [[nodiscard]] Time due(const At& at) const;
    [[nodiscard]] Alert alert(const Rule& rule, const Device& device, const Program::Moment& moment) const;
    void end_all(At at, Alert::Reason reason, std::vector<Alert>& alerts);
    /// What a snapshot says of one rule, and the rule here that it belongs to.
    struct SavedRule {
        std::string name;
        std::size_t bytes = 0;
        const Rule* rule = nullptr;  // nullptr: not there any more
        bool same_windows = false;
    };
    [[nodiscard]] static std::vector<SavedRule> read_rules(StateReader& reader, const Group* group);
    static void read_device(StateReader& reader, const Group* group, DeviceTable* table,
                            const std::vector<SavedRule>& rules, std::vector<Alert>& alerts);
    void count_and_schedule();

    FieldTable fields_;
    std::size_t devices_max_ = 0;
    std::vector<Group> groups_;
    std::vector<Rule> maps_;  ///< derivations that look at one record at a time: no device, no order, no lateness
    std::priority_queue<Timer> timers_;
    Time newest_arrival_ =
        kLongAgo;  // of the records, so that a gateway clock that is set back doesn't turn time around
    std::size_t firing_ = 0;
    RuleSetCounters counters_;
    std::vector<Derived> derived_;
    std::string name_;            // scratch: the device of the record at hand
    std::vector<double> values_;  // scratch: of the program at hand
};

}  // namespace sluice::models::rules
