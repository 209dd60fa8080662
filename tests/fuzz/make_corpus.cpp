// make_corpus DIR: small inputs that the fuzzers start from.
#include "storage/batch_builder.hpp"
#include "storage/compression.hpp"
#include "storage/segment_index.hpp"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

using namespace sluice::storage;

namespace {

using Bytes = std::vector<std::byte>;

void write(const std::filesystem::path& path, const Bytes& bytes) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

Bytes batch_of(Offset base, int records, Compression compression) {
    BatchBuilder builder;
    for (int i = 0; i < records; ++i) {
        Record record;
        if (i % 3 != 0) record.key = "key-" + std::to_string(i);
        if (i % 5 != 4) record.value = std::string(40, 'v') + std::to_string(i);
        record.headers = {{"mqtt.topic", "plant/pump"}, {"null", std::nullopt}};
        record.timestamp = Timestamp(std::chrono::milliseconds(1'700'000'000'000 + i));
        builder.add(record);
    }
    const auto batch = builder.finish(base, compression, BatchMarks());
    return {batch->bytes.begin(), batch->bytes.end()};
}

/// As many records as the codec can claim in a few KiB, with the right checksum: what reads it must not allocate for
/// them.
Bytes bomb() {
    const Bytes zeros(kBatchBytesMax - kBatchHeaderBytes);
    Bytes batch(kBatchHeaderBytes);
    batch.resize(*compress(zeros, Compression::zstd, batch, kBatchHeaderBytes));
    BatchHeader header;
    header.size_bytes = static_cast<std::uint32_t>(batch.size());
    header.attributes = static_cast<std::uint16_t>(Compression::zstd);
    header.record_count = static_cast<std::int32_t>(zeros.size());
    header.last_offset_delta = header.record_count - 1;
    store_batch_header(batch, header, BatchMarks());
    seal_batch(batch);
    return batch;
}

void append(Bytes& to, const Bytes& bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const std::filesystem::path root(argv[1]);
    write(root / "batch" / "bomb", bomb());
    for (const auto codec : {Compression::none, Compression::lz4, Compression::zstd}) {
        const std::string name(to_string(codec));
        write(root / "batch" / name, batch_of(Offset(7), 6, codec));
        Bytes segment;
        SegmentIndex index((Offset(0)));
        for (std::int64_t i = 0; i < 12; ++i) {
            const auto batch = batch_of(Offset(i * 10), 10, codec);
            index.note(*decode_batch_header(batch), FilePosition(segment.size()));
            append(segment, batch);
        }
        index.times.finish();
        Bytes input{static_cast<std::byte>(segment.size() >> 8U), static_cast<std::byte>(segment.size() & 0xffU)};
        append(input, segment);
        append(input, index.offsets.encode());
        append(input, index.times.encode());
        write(root / "recovery" / name, input);
        input.resize(2 + segment.size() * 2 / 3);
        write(root / "recovery" / (name + "-torn"), input);
        write(root / "index" / (name + "-offsets"), index.offsets.encode());
        write(root / "index" / (name + "-times"), index.times.encode());
    }
    return 0;
}
