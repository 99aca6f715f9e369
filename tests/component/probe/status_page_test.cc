#include "probe_fixture.h"

namespace probegate::probe {
namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST_CASE("The status page says what holds the gate, and escapes what dependencies say") {
  ProbeFixture f;
  const Answer page = f.get("/");
  CHECK(page.status == 200);
  CHECK(page.field("Content-Type") == "text/html; charset=utf-8");
  CHECK(contains(page.field("Content-Security-Policy"), "default-src 'none'"));
  CHECK(contains(page.body, "not_ready"));
  CHECK(contains(page.body, "waiting for <strong>database</strong>"));
  CHECK(contains(page.body, "refused &lt;by&gt; &quot;10.0.0.5&quot; &amp; more"));
  CHECK_FALSE(contains(page.body, "<by>"));
  CHECK_FALSE(contains(page.body, "<script"));
  f.server.publish(f.snapshot(health::GateState::open));
  const Answer open = f.get("/");
  CHECK(contains(open.body, "<strong class=\"good\">ready</strong>"));
  CHECK(contains(open.body, "first open after 1.000 s"));
}

TEST_CASE("The status page names nothing from outside when details are a summary") {
  ProbeFixture f;
  ProbeAnswers answers(*f.loop, {health::Details::summary, "1.2.3"}, f.snapshot(health::GateState::starting),
                       [](metrics::Exposition&) {});
  for (const char* path : {"/", "/status", "/health/ready"}) {
    for (const char* accept : {"", "application/health+json"}) {
      std::string text;
      ProbeRequest request;
      request.method = "GET";
      request.path = path;
      request.accept = accept;
      answers.answer(request, text);
      CAPTURE(path, accept);
      CHECK(contains(text, "connect"));
      CHECK_FALSE(contains(text, "10.0.0.5"));
      CHECK_FALSE(contains(text, "refused"));
    }
  }
}

}  // namespace
}  // namespace probegate::probe
