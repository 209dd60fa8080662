// page.hpp: the page that people look at: its files, which are part of the program.
//
// They are there without the token, as a browser can't send it before it has them; they show nothing but what is in the
// sources. Made at build time by agent/page/embed.cmake: compressed, each with an ETag.
#pragma once

#include "agent/admin/router.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace sluice::agent::admin {

struct PageFile {
    std::string_view path;
    std::string_view content_type;
    std::string_view etag;  ///< with its quotes
    std::span<const unsigned char> gzip;
    std::size_t bytes;  ///< of the file before it was compressed
};
[[nodiscard]] std::span<const PageFile> page_files();

void add_page(Router& router);

}  // namespace sluice::agent::admin
