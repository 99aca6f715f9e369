// Result<T>: a value, or an Error that says in one sentence what is wrong and what to do about it.
//
// Exceptions are for broken invariants; everything that can happen in production travels as a value.
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
