// token.hpp: the shared secret that lets a program in from another machine.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::agent::admin {

inline constexpr std::size_t kTokenBytesMin = 16;

/// Whether they are the same. Takes the same time for any two of these lengths: how much of a guess is right can't be
/// measured.
[[nodiscard]] bool same_secret(std::string_view guess, std::string_view secret);

/// Whether `authorization` is "Bearer TOKEN" (RFC 6750, section 2.1).
[[nodiscard]] bool bears_token(std::string_view authorization, std::string_view token);

}  // namespace sluice::agent::admin
