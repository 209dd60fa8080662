// result.hpp: what a function returns when the world can fail it: a value, or an Error that a person can act on.
//
// Why not exceptions: disk, network and payload failures are ordinary here, and a caller must see in the
// signature that it has to decide. A broken invariant is not a Result but a SLUICE_ASSERT.
#pragma once

#include <boost/system/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace sluice::storage {

/// What went wrong, as far as a caller decides by it. The text of an Error says the rest.
enum class Errc : std::uint8_t {
    io,           ///< the operating system refused; Error::code() holds its errno
    no_space,     ///< the disk (or the quota) is full; nothing of the append was accepted
    sync_failed,  ///< a sync failed: the log takes no more writes in this process
    corrupt,      ///< bytes on disk are not what was written
    invalid,      ///< the caller's input can't be represented (too large, malformed)
    locked,       ///< another process holds the directory
    not_found,    ///< no such stream, offset or file
    closed,       ///< the object was stopped; nothing was written
    rejected,     ///< the peer or a library refused
};

/// An error with what a person needs: the operation, and where (file, position).
class Error {
 public:
    /// What boost::system::result's error() gives where there is none.
    Error() : Error(Errc::invalid, "no error") {}
    Error(Errc kind, std::string what) : kind_(kind), what_(std::move(what)) {}

    /// The failure of a system call: `operation` names it, `where` the file; ENOSPC and EDQUOT become no_space.
    static Error from_errno(int error_number, std::string_view operation, std::string_view where);

    [[nodiscard]] Errc kind() const { return kind_; }
    [[nodiscard]] const std::error_code& code() const { return code_; }
    /// One line without a full stop, e.g. "cannot sync log/telemetry-0/000…0.log: Input/output error".
    [[nodiscard]] const std::string& message() const { return what_; }

    /// The same error, saying where it happened: "<where>: <message>".
    [[nodiscard]] Error at(std::string_view where) const;
    /// The same error, as a sync's: Errc::sync_failed.
    [[nodiscard]] Error of_sync() const;
    /// The same error of a file that is thrown away now: a sync that failed is no worse than a write that did.
    [[nodiscard]] Error of_scrapped_file() const;

 private:
    Errc kind_;
    std::error_code code_;
    std::string what_;
};

template <class T>
using Result = boost::system::result<T, Error>;

/// For boost::system::result: what value() throws on an error. We never call value() unchecked.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& location);

}  // namespace sluice::storage
