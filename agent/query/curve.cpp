#include "agent/query/curve.hpp"

#include "agent/log/files.hpp"
#include "agent/query/json_field.hpp"
#include "agent/query/stream_scan.hpp"
#include "storage/batch_walk.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::agent::query {

using storage::Errc;
using storage::Error;
using storage::Offset;
using storage::Result;
using storage::Timestamp;

namespace {

constexpr std::size_t kPointsOfSlice = 4;

bool by_time(const CurvePoint& a, const CurvePoint& b) {
    return a.timestamp < b.timestamp;
}

Result<void> check(const CurveRequest& request) {
    if (request.to < request.from) return Error(Errc::invalid, "the end of the time is before its beginning");
    if (request.points_max < kPointsOfSlice) return Error(Errc::invalid, "a curve has at least 4 points");
    return {};
}

bool is_due(const CurveRequest& request) {
    return (request.cancelled != nullptr && request.cancelled->load(std::memory_order_relaxed)) ||
           (request.deadline && std::chrono::steady_clock::now() >= *request.deadline);
}

/// Adds what one batch has.
void add_batch(const StreamScan::Batch& batch, const CurveRequest& request, const JsonPath& path,
               storage::BatchWalk& walk, CurveThinner& thinner, Curve& curve) {
    if (!walk.open(batch.header, batch.bytes)) {
        ++curve.damaged;
        return;
    }
    for (;;) {
        const auto more = walk.next();
        if (!more) ++curve.damaged;
        if (!more || !*more) return;
        const auto& record = walk.record();
        if (record.key != std::string_view(request.key) || record.timestamp < request.from ||
            record.timestamp > request.to || record.offset < batch.first || record.offset > batch.last) {
            continue;
        }
        const auto number = record.value ? find_number(*record.value, path, request.pointer) : std::nullopt;
        if (number) {
            thinner.add({record.timestamp, *number});
        } else {
            ++curve.not_numbers;
        }
    }
}

}  // namespace

CurveThinner::CurveThinner(Timestamp from, Timestamp to, std::size_t points_max)
    : from_(from), to_(to), points_max_(points_max), slices_(points_max / kPointsOfSlice) {}

std::size_t CurveThinner::slice_of(Timestamp timestamp) const {
    const auto ms = [](Timestamp time) { return static_cast<double>(time.time_since_epoch().count()); };
    const auto part = (ms(timestamp) - ms(from_)) / (ms(to_) - ms(from_) + 1);
    return std::min(static_cast<std::size_t>(part * static_cast<double>(slices_.size())), slices_.size() - 1);
}

void CurveThinner::add(const CurvePoint& point) {
    if (point.timestamp < from_ || point.timestamp > to_ || !std::isfinite(point.value)) return;
    ++found_;
    if (found_ <= points_max_) {
        all_.push_back(point);
    } else {
        all_.clear();
    }
    auto& slice = slices_[slice_of(point.timestamp)];
    if (!slice.used) slice = {point, point, point, point, true};
    if (point.timestamp < slice.first.timestamp) slice.first = point;
    if (point.timestamp >= slice.last.timestamp) slice.last = point;
    if (point.value < slice.least.value) slice.least = point;
    if (point.value > slice.greatest.value) slice.greatest = point;
}

std::vector<CurvePoint> CurveThinner::points() const {
    auto points = all_;
    if (found_ <= points_max_) {
        std::stable_sort(points.begin(), points.end(), by_time);
        return points;
    }
    for (const auto& slice : slices_) {
        if (!slice.used) continue;
        std::vector<CurvePoint> kept{slice.first, slice.least, slice.greatest, slice.last};
        std::stable_sort(kept.begin(), kept.end(), by_time);
        kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
        points.insert(points.end(), kept.begin(), kept.end());
    }
    return points;
}

Result<Curve> read_curve(storage::FileSystem& files, const CurveRequest& request) {
    if (auto done = check(request); !done) return done.error();
    const auto path = JsonPath::of_pointer(request.pointer);
    if (!path) {
        return Error(Errc::invalid, "\"" + request.pointer + "\" is no JSON pointer (write /temperature, or /a/b)");
    }
    auto streams = find_streams(files, request.data_dir, request.stream);
    if (!streams) return streams.error();
    if (streams->front().unreadable) return *streams->front().unreadable;
    ScanRange range;
    range.since = request.from;
    range.key = request.key;
    if (request.end) range.last = *request.end + -1;
    StreamScan scan(files, std::move(streams->front()), std::move(range));
    CurveThinner thinner(request.from, request.to, request.points_max);
    storage::BatchWalk walk;
    Curve curve;
    for (;;) {
        if (is_due(request)) {
            curve.complete = false;
            break;
        }
        const auto batch = scan.next();
        if (!batch) return batch.error();
        if (!*batch) break;
        add_batch(**batch, request, *path, walk, thinner, curve);
    }
    curve.points = thinner.points();
    curve.found = thinner.found();
    curve.damaged += scan.stats().damaged;
    return curve;
}

}  // namespace sluice::agent::query
