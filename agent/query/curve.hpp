// curve.hpp: a number of a device over time, out of the local log, with as many points as a picture has room for.
//
// Thinned so that no peak is lost: time is cut into slices, and of each slice the first, the least, the greatest and
// the last point stay (Jugel et al., "M4", VLDB 2014), which draws the same line as all points would.
// Reads the files, with or without a running agent, and writes nothing. Any thread; takes as long as it takes to read
// the part of the log that the indexes can't rule out, so not on the thread that serves devices.
#pragma once

#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::agent::query {

struct CurveRequest {
    std::string data_dir;
    std::string stream;
    std::string key;
    std::string pointer;          ///< JSON pointer (RFC 6901) of the number in the record's value, e.g. "/temperature"
    storage::Timestamp from, to;  ///< by the records' timestamps; both ends are included
    std::size_t points_max = 1000;  ///< at least 4; what it is rounded down to is a multiple of 4
    /// The end of what may be shown, e.g. a high watermark; nullopt: of what is in the files
    std::optional<storage::Offset> end;
    std::optional<std::chrono::steady_clock::time_point> deadline;  ///< what was found until then is returned
    const std::atomic<bool>* cancelled = nullptr;                   ///< likewise, once it is true
};

struct CurvePoint {
    storage::Timestamp timestamp;
    double value = 0;
    friend bool operator==(const CurvePoint&, const CurvePoint&) = default;
};

struct Curve {
    std::vector<CurvePoint> points;  ///< by time
    std::uint64_t found = 0;         ///< points that there were before they were thinned
    std::uint64_t not_numbers = 0;   ///< records of the key in this time without a number at the pointer
    std::uint64_t damaged = 0;       ///< places in the log that could not be read, and were passed over
    bool complete = true;            ///< false: the deadline has passed, or it was cancelled
};

/// @return Errc::not_found: no such stream; Errc::invalid: no JSON pointer, too few points, or `to` before `from`
[[nodiscard]] storage::Result<Curve> read_curve(storage::FileSystem& files, const CurveRequest& request);

/// Thins points, which may come in any order, as above.
class CurveThinner {
 public:
    CurveThinner(storage::Timestamp from, storage::Timestamp to, std::size_t points_max);
    /// A point that isn't in the time, or no finite number, is left out.
    void add(const CurvePoint& point);
    /// By time. As they came where they are few enough.
    [[nodiscard]] std::vector<CurvePoint> points() const;
    [[nodiscard]] std::uint64_t found() const { return found_; }

 private:
    struct Slice {
        CurvePoint first, least, greatest, last;
        bool used = false;
    };
    [[nodiscard]] std::size_t slice_of(storage::Timestamp timestamp) const;

    storage::Timestamp from_, to_;
    std::size_t points_max_;
    std::vector<CurvePoint> all_;  // as long as they are few enough
    std::vector<Slice> slices_;
    std::uint64_t found_ = 0;
};

}  // namespace sluice::agent::query
