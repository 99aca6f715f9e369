// Formats the error for an unexpected HTTP status: the URL, the response, and the keys that may help. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/redaction.h"
#include "health/check_result.h"

namespace probegate::checks {

inline constexpr std::size_t kRefusalBytes =
    4096;  // of the body: more than is shown, so that whole secrets are masked

struct RefusedAnswer {
  int status = 0;
  std::string body;              // the beginning of the body
  std::string location;          // target of a redirection
  std::string probegate_reason;  // set if a probegate in between answered

  // True if more of the body would not be shown.
  bool full() const { return body.size() >= kRefusalBytes; }
};

struct RefusedQuestion {
  std::string url;       // without user-info and query
  std::string what;      // "to the upgrade", or nothing
  std::string expected;  // "101"
  Secrets secrets;       // masked in the peer's text before it is cut
  std::string remedies;  // the keys that may help: "headers and expect_status"
};

health::CheckResult refused_answer(const RefusedQuestion& question, const RefusedAnswer& answer);

}  // namespace probegate::checks
