// What a check says of an HTTP answer whose status is not the expected one: who was asked, what came, and
// which keys help. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/redaction.h"
#include "health/check_result.h"

namespace probegate::checks {

inline constexpr std::size_t kRefusalBytes =
    4096;  // of a body: more than is shown, so that secrets are masked whole

struct RefusedAnswer {
  int status = 0;
  std::string body;              // its beginning
  std::string location;          // of a redirection
  std::string probegate_reason;  // from a gate in between

  // Whether a longer body would not be shown anyway.
  bool full() const { return body.size() >= kRefusalBytes; }
};

struct RefusedQuestion {
  std::string url;       // without user-info and query
  std::string what;      // "to the upgrade", or nothing
  std::string expected;  // "101"
  Secrets secrets;       // masked in what the peer said, before it is cut off
  std::string remedies;  // the keys that say what the peer wants: "headers and expect_status"
};

health::CheckResult refused_answer(const RefusedQuestion& question, const RefusedAnswer& answer);

}  // namespace probegate::checks
