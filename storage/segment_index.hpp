// segment_index.hpp: the two indexes of a segment, which are made, written and rebuilt together.
#pragma once

#include "storage/offset_index.hpp"
#include "storage/record_batch.hpp"
#include "storage/time_index.hpp"
#include "storage/types.hpp"

namespace sluice::storage {

struct SegmentIndex {
    explicit SegmentIndex(Offset base_offset) : offsets(base_offset), times(base_offset) {}

    void note(const BatchHeader& batch, FilePosition position) { times.note(batch, offsets.note(batch, position)); }

    OffsetIndex offsets;
    TimeIndex times;
};

}  // namespace sluice::storage
