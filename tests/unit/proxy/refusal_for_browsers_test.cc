#include "proxy/refusal_for_browsers.h"

#include <catch2/catch.hpp>

namespace probegate::proxy {
namespace {

using metrics::Reason;

TEST_CASE(
    "An upgrade that would get 503 has a Close code, 1012 in a drain, and every other reason has none") {
  for (std::size_t i = 0; i < metrics::label_count<Reason>; ++i) {
    const auto reason = static_cast<Reason>(i);
    CAPTURE(metrics::to_string(reason));
    const int status = Refusal::of(reason, "x").status;
    const auto code = refusal_close_code(reason);
    CHECK(code.has_value() == (status == 503));
    if (code) CHECK(*code == (reason == Reason::draining ? 1012 : 1013));
  }
}

TEST_CASE("The page tries again when Retry-After says so, and shows a request id as text") {
  const auto page = refusal_page(Reason::paused, 4, "<b>&\"\xff", true);
  CHECK(page.body.find("<meta http-equiv=\"refresh\" content=\"4\">") != std::string::npos);
  CHECK(page.body.find("request &lt;b&gt;&amp;&quot;\xEF\xBF\xBD<") != std::string::npos);
  CHECK(page.body.find("<b>") == std::string::npos);
  CHECK(page.body.find("Maintenance") != std::string::npos);
  CHECK(refusal_page(Reason::draining, 1, "x", true).body.find("in 1 second.") != std::string::npos);
}

TEST_CASE("The page for a form that was sent is not loaded again by itself") {
  const auto page = refusal_page(Reason::hold_full, 4, "x", false);
  CHECK(page.body.find("http-equiv=\"refresh\"") == std::string::npos);
  CHECK(page.body.find("Send it again in 4 seconds.") != std::string::npos);
}

}  // namespace
}  // namespace probegate::proxy
