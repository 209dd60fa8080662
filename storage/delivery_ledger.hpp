// delivery_ledger.hpp: what became of a stream's records: which went where in Kafka, and what the forwarder waited for.
//
// Append-only files of their own, DATA_DIR/delivery/NUMBER.proof, beside the logs: the catalog is not for what happens
// with each batch. Nothing here is needed to deliver: files are written behind and never synced, a write that fails is
// a hole in the proof, and a file that is damaged is read as far as it goes.
// Invariants
//   - a frame is taken as a whole or, where its checksum is wrong, not at all; a torn tail is cut before the first
//   append.
//   - what is known of an offset is what the last frames say; what was lost to a failed write is taken back (void).
//   - a file says itself which streams it speaks of, so that older ones can go.
// One thread writes; delivery_search.hpp reads, in any process. Format: docs/proof-of-delivery.md.
#pragma once

#include "storage/clock.hpp"
#include "storage/delivery_block.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::storage {

/// One reader of a stream on its way to a topic.
struct DeliveryStream {
    std::string stream;
    LogId log_id;
    std::string topic;
    std::string reader;  ///< the name of its cursor in the catalog
    friend bool operator==(const DeliveryStream&, const DeliveryStream&) = default;
};

struct DeliveryOptions {
    std::chrono::milliseconds retention = std::chrono::hours(24 * 30);
    std::uint64_t bytes_max = 64U << 20U;
    bool transactional = false;  ///< what is added counts once finish() has passed it
};

class DeliveryLedger {
 public:
    enum class Kind : std::uint8_t { stream = 1, delivered, delivered_in_transaction, taken_back, state };

    /// Goes on with the files in `directory`, which is made where it is missing.
    [[nodiscard]] static Result<std::unique_ptr<DeliveryLedger>> open(FileSystem& files, const Clock& clock,
                                                                      std::string directory, DeliveryOptions options);

    /// What older files say of offsets at or after `log_end` is of records that the log has lost: it is taken back.
    /// @return its number, for the other calls
    [[nodiscard]] std::size_t add_stream(DeliveryStream stream, Offset log_end);
    /// Kafka has acknowledged the record. Offsets rise, but after take_back().
    void add(std::size_t stream, Offset offset, KafkaPlace place);
    /// In a transaction: what is before `finished` is committed. Said with the next block.
    void finish(std::size_t stream, Offset finished) { streams_[stream].finished = finished; }
    /// What was added from this offset on was not to be, as its transaction was aborted; it will be added again.
    void take_back(std::size_t stream, Offset from);
    /// Why nothing is sent: of the stream, or of the cluster (nullopt). Empty: nothing is in the way. To be
    /// called again and again: what has not changed is not written again.
    void set_state(std::optional<std::size_t> stream, const std::string& text);

    /// As find_last_places(), of a stream of ours.
    [[nodiscard]] std::map<std::int32_t, std::int64_t> last_places(std::size_t stream, Offset before) const;

    /// Whether so much has gathered that it should be written.
    [[nodiscard]] bool is_due() const { return frames_.size() >= kFramesBytes; }
    /// Writes what has gathered, so that the death of the process doesn't take it.
    /// @return the first error since the last call: some of it can't be proved
    [[nodiscard]] Result<void> flush();

 private:
    static constexpr std::size_t kFramesBytes = 64U << 10U;
    struct Stream {
        DeliveryStream what;
        DeliveryBlockBuilder builder = {};
        Offset finished = {};
        std::optional<Offset> unwritten = {};  // frames_ speak of offsets from here on
        std::optional<Offset> lost = {};       // so did frames that could not be written
    };
    struct State {
        std::string text;
        Timestamp since;
    };

    DeliveryLedger(FileSystem& files, const Clock& clock, std::string directory, DeliveryOptions options);
    [[nodiscard]] Result<void> continue_last_file();
    [[nodiscard]] Result<void> write_frames();
    [[nodiscard]] Result<void> open_next_file();
    void remove_old_files();
    [[nodiscard]] std::string path_of(std::uint64_t number) const;
    void put_preamble(std::vector<std::byte>& frames) const;
    void put_block(std::size_t stream);
    void put_state(std::vector<std::byte>& frames, std::optional<std::size_t> stream, const State& state) const;

    FileSystem& files_;
    const Clock& clock_;
    const std::string directory_;
    const DeliveryOptions options_;
    std::vector<Stream> streams_;
    std::map<std::optional<std::size_t>, State> states_;
    std::vector<std::byte> frames_;  // to be written
    bool introduced_ = false;        // the file knows the streams
    std::unique_ptr<File> file_;     // nullptr: the next flush() opens one
    std::uint64_t number_ = 0;
    std::uint64_t position_ = 0;
    Timestamp opened_{};
};

/// Names of proof files, and their frames, for whoever reads them.
inline constexpr std::string_view kProofSuffix = ".proof";
[[nodiscard]] std::optional<std::uint64_t> parse_proof_file_name(std::string_view name);

struct DeliveryFrame {
    DeliveryLedger::Kind kind;
    std::span<const std::byte> body;
};
/// Takes the next intact frame off the front of `bytes`, passing over what is none; nullopt where there is no other.
[[nodiscard]] std::optional<DeliveryFrame> take_frame(std::span<const std::byte>& bytes);

}  // namespace sluice::storage
