// program.hpp: a checked expression, ready to run.
//
// Why a tree in an array and no byte code of a stack machine: an expression has ten steps; walking them costs some
// nanoseconds, and the reader sees what happens. What costs is in the stateful functions.
// How it runs: each record updates all stateful functions first, inner ones before those that use them, whatever `and`,
// `or` and `if` would skip; then the expression is evaluated from their values. So a window never misses a record.
// Invariants
//   - constant after it was compiled; one program serves all devices, each with a block of state_bytes().
//   - the steps that a step uses come before it.
//   - a value that isn't there (field missing or of another type, empty window, 0/0) is NaN. Comparisons with it have
//   no
//     value; `and` and `or` have one where the other side decides.
#pragma once

#include "models/record_view.hpp"
#include "models/rules/opcode.hpp"
#include "models/rules/types.hpp"
#include "models/stateful_function.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::models::rules {

/// A comparison of the expression, or a part that is true or false by itself: what an alert tells about its cause.
struct Observation {
    std::string text;       ///< the left side: "avg(temperature, 5m)"
    std::string threshold;  ///< sign and right side: "> 80"; empty where there is no comparison
    double value;           ///< of the left side; NaN where it has none
    bool holds;
};

class Program {
 public:
    struct Step {
        Opcode code = Opcode::none;
        std::uint32_t a = 0;  ///< a step, a field's slot, a text or a stateful function: as the code says
        std::uint32_t b = 0;
        std::uint32_t c = 0;
        double number = 0;
        bool operator==(const Step&) const = default;
    };
    struct Stateful {
        std::unique_ptr<const StatefulFunction> function;
        std::vector<std::uint32_t> arguments;  ///< steps that give numbers
        std::uint32_t samples = kNoStep;       ///< the step that gives an array
        std::size_t state = 0;                 ///< where its state begins
        bool anew = false;                     ///< its window begins anew with each interval of a derivation
    };
    static constexpr std::uint32_t kNoStep = 0xFFFFFFFF;
    static constexpr std::size_t kArgumentsMax = 64;  // as many columns a model may have

    /// What a record is evaluated against. `record` is nullptr where time alone moves on.
    struct Moment {
        const RecordView* record = nullptr;
        std::string_view device;
        Time time;  ///< of the record
        Time
            now;  ///< of the device: the newest time it has sent; `time` is before it where a record comes out of order
        Time since = kLongAgo;  ///< windows that begin anew take what is older as of this time
    };

    [[nodiscard]] ValueType type() const { return type_; }
    [[nodiscard]] const std::string& text() const { return text_; }
    /// Bytes of state for each device, known before the first record; a multiple of 8.
    [[nodiscard]] std::size_t state_bytes() const { return state_bytes_; }
    /// The longest time window; 0 where there is none.
    [[nodiscard]] Duration window() const { return window_; }
    /// Changes whenever the bytes of the state would mean something else.
    [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }
    /// Whether it reads anything of the device's past.
    [[nodiscard]] bool remembers() const { return !stateful_.empty(); }
    /// How many values update() and refresh() write.
    [[nodiscard]] std::size_t values() const { return stateful_.size(); }

    void start(std::byte* state, Time now) const;
    /// Takes a record into the state and writes the stateful functions' values.
    void update(std::byte* state, const Moment& moment, std::span<double> values) const;
    /// Writes the values as they are at `now`, without a record.
    void refresh(std::byte* state, Time now, std::span<double> values) const;
    /// Forgets what the windows hold that are as long as a derivation's interval, which ends at `now`.
    void begin_anew(std::byte* state, Time now) const;
    /// The value of a number or boolean (0, 1) expression.
    [[nodiscard]] double evaluate(const Moment& moment, std::span<const double> values) const;
    /// The value of a text expression; data() is nullptr where there is none.
    [[nodiscard]] std::string_view evaluate_text(const Moment& moment) const;
    /// When time alone changes a value next.
    [[nodiscard]] Time next_change(const std::byte* state, Time now) const;
    /// The comparisons, in the order of the text.
    [[nodiscard]] std::vector<Observation> observe(const Moment& moment, std::span<const double> values) const;

 private:
    friend class Compiler;
    struct Observed {
        std::string text;
        std::string threshold;
        std::uint32_t left;
        std::uint32_t whole;
    };

    std::string text_;
    ValueType type_;
    std::vector<Step> steps_;
    std::vector<std::string> texts_;
    std::vector<Stateful> stateful_;
    std::vector<std::uint32_t> timed_;  // of stateful_: those that time changes
    std::vector<Observed> observed_;
    std::uint32_t root_ = 0;
    std::size_t state_bytes_ = 0;
    Duration window_{0};
    std::uint64_t fingerprint_ = 14695981039346656037U;
};

}  // namespace sluice::models::rules
