// Result<T>: a value, or an Error whose message says in one sentence what is wrong and how to fix it.
//
// Exceptions are for broken invariants; expected failures are returned as values.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace probegate {

struct Error {
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> failure(std::string message) {
  return tl::unexpected<Error>(Error{std::move(message)});
}

}  // namespace probegate
