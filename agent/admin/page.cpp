#include "agent/admin/page.hpp"

#include <zlib.h>

#include <stdexcept>
#include <string>

namespace sluice::agent::admin {

namespace {

/// Scripts, styles and data from here alone, and nothing inline: what a device writes can't become a part of the page.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Every browser takes gzip; this is for the others.
std::string inflated(const PageFile& file) {
    constexpr int kGzip = 16 + MAX_WBITS;
    std::string bytes(file.bytes, '\0');
    z_stream stream{};
    if (inflateInit2(&stream, kGzip) != Z_OK) throw std::runtime_error("zlib");
    stream.next_in = const_cast<unsigned char*>(file.gzip.data());  // which zlib only reads
    stream.avail_in = static_cast<uInt>(file.gzip.size());
    stream.next_out = reinterpret_cast<unsigned char*>(bytes.data());
    stream.avail_out = static_cast<uInt>(bytes.size());
    const int done = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    if (done != Z_STREAM_END) throw std::runtime_error("zlib");
    return bytes;
}

Response serve(const PageFile& file, const Request& request) {
    Response response;
    response.content_type = file.content_type;
    response.headers = {{"Content-Security-Policy", kPolicy},
                        {"Cache-Control", "no-cache"},
                        {"ETag", std::string(file.etag)},
                        {"Vary", "Accept-Encoding"},
                        {"Referrer-Policy", "no-referrer"},
                        {"Cross-Origin-Opener-Policy", "same-origin"},
                        {"Cross-Origin-Resource-Policy", "same-origin"}};
    if (request.if_none_match == file.etag) {
        response.status = 304;
    } else if (request.accept_encoding.find("gzip") != std::string::npos) {
        response.headers.emplace_back("Content-Encoding", "gzip");
        response.body.assign(reinterpret_cast<const char*>(file.gzip.data()), file.gzip.size());
    } else {
        response.body = inflated(file);
    }
    return response;
}

}  // namespace

void add_page(Router& router) {
    for (const auto& file : page_files()) {
        router.open(std::string(file.path), [&file](const Request& request, bool) { return serve(file, request); });
    }
}

}  // namespace sluice::agent::admin
