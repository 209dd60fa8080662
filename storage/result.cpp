#include "storage/result.hpp"

#include "storage/assert.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace sluice::storage {

namespace {

bool means_full(int error_number) {
    return error_number == ENOSPC || error_number == EDQUOT;
}

}  // namespace

Error Error::from_errno(int error_number, std::string_view operation, std::string_view where) {
    const std::error_code code(error_number, std::generic_category());
    std::string what = "cannot ";
    what.append(operation).append(" ").append(where).append(": ").append(code.message());
    Error error(means_full(error_number) ? Errc::no_space : Errc::io, std::move(what));
    error.code_ = code;
    return error;
}

Error Error::at(std::string_view where) const {
    Error error = *this;
    error.what_.insert(0, std::string(where) + ": ");
    return error;
}

Error Error::of_sync() const {
    Error error = *this;
    error.kind_ = Errc::sync_failed;
    return error;
}

Error Error::of_scrapped_file() const {
    Error error = *this;
    if (kind_ == Errc::sync_failed) error.kind_ = means_full(code_.value()) ? Errc::no_space : Errc::io;
    return error;
}

void throw_exception_from_error(const Error& error, const boost::source_location& /*location*/) {
    throw std::logic_error("unchecked error: " + error.message());
}

void assertion_failed(const char* expression, const char* file, int line) noexcept {
    std::fprintf(stderr, "%s:%d: broken invariant: %s (this is a bug in sluice; the log recovers at the next start)\n",
                 file, line, expression);
    std::abort();
}

}  // namespace sluice::storage
