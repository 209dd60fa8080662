# embed.cmake: the files of the page as a part of the program: compressed, with what HTTP says of them.
#
# cmake -D OUT=page_files.cpp -D "FILES=/path=file;…" -P embed.cmake
set(bytes "")
set(table "")
set(number 0)
foreach(entry ${FILES})
  string(REGEX MATCH "^([^=]+)=(.*)$" matched "${entry}")
  set(path "${CMAKE_MATCH_1}")
  set(file "${CMAKE_MATCH_2}")
  execute_process(COMMAND gzip -9nc "${file}" OUTPUT_FILE "${OUT}.gz" COMMAND_ERROR_IS_FATAL ANY)
  file(READ "${OUT}.gz" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n" hex "${hex}")
  file(SHA256 "${file}" hash)
  string(SUBSTRING "${hash}" 0 16 hash)
  file(SIZE "${file}" size)
  set(type "application/octet-stream")
  if(file MATCHES "\\.html$")
    set(type "text/html; charset=utf-8")
  elseif(file MATCHES "\\.css$")
    set(type "text/css; charset=utf-8")
  elseif(file MATCHES "\\.js$")
    set(type "text/javascript; charset=utf-8")
  elseif(file MATCHES "\\.svg$")
    set(type "image/svg+xml")
  elseif(file MATCHES "\\.yaml$")
    set(type "application/yaml")
  endif()
  string(APPEND bytes "constexpr unsigned char kFile${number}[] = {\n${hex}};\n")
  string(APPEND table "    {\"${path}\", \"${type}\", \"\\\"${hash}\\\"\", kFile${number}, ${size}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(REMOVE "${OUT}.gz")
file(WRITE "${OUT}" "// Made by agent/page/embed.cmake.
#include \"agent/admin/page.hpp\"

namespace sluice::agent::admin {

namespace {

${bytes}
const PageFile kFiles[] = {
${table}};

}  // namespace

std::span<const PageFile> page_files() {
    return kFiles;
}

}  // namespace sluice::agent::admin
")
