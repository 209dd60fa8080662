// stream_rules.hpp: the rules of one stream, and how far they have come in it. Gives each alert with its position, and
// each record that is derived.
//
// The same records give the same alerts at the same positions, whatever was killed in between; where time alone causes
// an alert, its position says to which moment time went on, and a replay goes there too (alert_record.hpp). No thread,
// no files: `sluice rules test` runs the same code as the agent.
#pragma once

#include "agent/rules/alert_record.hpp"
#include "agent/rules/derived_record.hpp"
#include "agent/rules/record_decoder.hpp"
#include "models/rules/rule_set.hpp"
#include "storage/record.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::agent {

class StreamRules {
 public:
    /// @param arrival  the gateway's time at that moment
    using Sink = std::function<void(const models::Alert&, const AlertPosition&, storage::Timestamp arrival)>;

    /// @param to  the stream that the record is for
    using OnDerived = std::function<void(const std::string& to, storage::Record, const AlertPosition&)>;

    /// @param sources  that compile; the configuration has been checked
    /// @return what is wrong, where they don't: rules of another version of the program
    [[nodiscard]] static storage::Result<std::unique_ptr<StreamRules>> make(
        const std::vector<models::rules::RuleSource>& sources, std::size_t devices_max,
        const std::string& hash_key = {});

    /// Who gets what is derived; at first nobody.
    void on_derived(OnDerived on_derived) { on_derived_ = std::move(on_derived); }

    /// Goes on from `next`. What `seen` has is not given to the sink again.
    void start_at(storage::Offset next, AlertsSeen seen);

    /// Takes the next record: one at or after next().
    void take(const storage::RecordView& record, const Sink& sink);
    /// There is no later record now: what the alerts' log says came about at this point is done again.
    void caught_up(const Sink& sink);
    /// Time has gone on without a record, to `now`: later than before, or nothing happens.
    void advance(models::Time now, const Sink& sink);

    [[nodiscard]] storage::Offset next() const { return storage::Offset(next_); }
    [[nodiscard]] models::Time advanced_to() const { return advanced_to_; }
    /// Of the records taken since this object was made.
    [[nodiscard]] models::Time newest_arrival() const { return newest_arrival_; }
    [[nodiscard]] const models::rules::RuleSet& set() const { return set_; }
    [[nodiscard]] std::uint64_t undecodable() const { return decoder_->undecodable(); }
    /// Records that were not derived from: no JSON object.
    [[nodiscard]] std::uint64_t left_out() const { return left_out_; }
    /// Alerts that were there already.
    [[nodiscard]] std::uint64_t repeated() const { return repeated_; }

    /// The state with its cursor.
    void save(models::StateWriter& writer) const;
    /// Takes a state over, but not what it says of rules that aren't there any more: their alerts come to `ended`.
    [[nodiscard]] std::optional<std::string> restore(models::StateReader& reader, std::vector<models::Alert>& ended);
    /// As restore(), of other rules that have come so far.
    [[nodiscard]] std::optional<std::string> take_over(const StreamRules& old, std::vector<models::Alert>& ended);

 private:
    StreamRules(models::rules::RuleSet set, const std::string& hash_key);
    void give(std::int64_t advanced_ms, storage::Timestamp arrival, const Sink& sink);
    void give_derived(std::int64_t advanced_ms, std::optional<std::string_view> payload);
    void replay_advances(std::int64_t up_to, const Sink& sink);

    models::rules::RuleSet set_;
    std::unique_ptr<RecordDecoder> decoder_;
    std::map<const models::rules::Rule*, DerivedWriter> writers_;
    OnDerived on_derived_;
    std::int64_t next_ = 0;
    models::Time advanced_to_{};
    models::Time newest_arrival_{};
    AlertsSeen seen_;
    std::size_t advances_done_ = 0;  // of seen_.advances
    std::vector<models::Alert> alerts_;
    std::uint64_t repeated_ = 0;
    std::uint64_t left_out_ = 0;
};

}  // namespace sluice::agent
