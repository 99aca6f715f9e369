// /events: the state, live, for those who look.

#include "probe_fixture.h"

namespace probegate::probe {
namespace {

constexpr std::string_view kFollow = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

std::size_t events(RawClient& viewer) { return count(viewer.received(), "\n\n"); }

ProbeLimits quick() {
  ProbeLimits limits;
  limits.view_period = 20ms;
  limits.view_change = 1ms;
  limits.answer_timeout = 50ms;
  return limits;
}

TEST_CASE("A viewer is told the state at once, and every period again") {
  ProbeFixture f(quick());
  RawClient viewer = f.client();
  viewer.send(kFollow);
  REQUIRE(f.wait([&] { return events(viewer) >= 3; }));
  const std::string& text = viewer.received();
  CHECK(
      text.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"));
  CHECK(text.find("data: <h1>not ready</h1>\n") != std::string::npos);
  const auto body = text.substr(text.find("\r\n\r\n") + 4);
  for (std::size_t at = 0; at < body.size(); at = body.find('\n', at) + 1) {
    CHECK((body[at] == '\n' || body.compare(at, 6, "data: ") == 0));
    if (body.find('\n', at) == std::string::npos) break;
  }
}

TEST_CASE("A change reaches viewers before the period is over") {
  ProbeLimits limits = quick();
  limits.view_period = 1h;
  ProbeFixture f(limits);
  RawClient viewer = f.client();
  viewer.send(kFollow);
  REQUIRE(f.wait([&] { return events(viewer) == 1; }));
  f.server.publish(f.snapshot(health::GateState::open));
  REQUIRE(f.wait([&] { return events(viewer) == 2; }));
  CHECK(viewer.received().find("<h1>ready</h1>") != std::string::npos);
}

TEST_CASE("While nobody looks nothing is rendered, whatever is published") {
  ProbeFixture f(quick());
  {
    RawClient viewer = f.client();
    viewer.send(kFollow);
    REQUIRE(f.wait([&] { return events(viewer) == 2; }));
    CHECK(f.server.viewers() == 1);
  }
  REQUIRE(f.wait([&] { return f.server.viewers() == 0; }));
  const int asked = f.source.asked;
  for (int i = 0; i < 10; ++i) {
    f.server.publish(f.snapshot(health::GateState::open));
    f.get("/health/ready");
  }
  CHECK(f.source.asked == asked);
}

TEST_CASE("There are places for so many viewers; the next is told so, and probes are not disturbed") {
  ProbeLimits limits = quick();
  limits.viewers = 2;
  ProbeFixture f(limits);
  RawClient first = f.client();
  RawClient second = f.client();
  first.send(kFollow);
  second.send(kFollow);
  REQUIRE(f.wait([&] { return f.server.viewers() == 2; }));
  const Answer refused = f.get("/events");
  CHECK(refused.status == 503);
  CHECK(refused.field("Retry-After") == "1");
  CHECK(f.get("/health").status == 200);
}

TEST_CASE("A viewer who does not read is cut, and its place is free again") {
  ProbeLimits limits = quick();
  limits.view_period = 1ms;
  ProbeFixture f(limits);
  for (std::size_t i = 0; i < health::History::kEvents; ++i) {
    health::Event event;
    event.message = std::string(5000, 'x') + std::to_string(i);
    f.source.past.add(event);
  }
  RawClient viewer = f.client();
  viewer.send(kFollow);
  REQUIRE(f.wait([&] { return f.server.viewers() == 1; }));
  CHECK(f.wait([&] { return f.server.viewers() == 0; }));
}

TEST_CASE("What a viewer sends is ignored, and its end is noticed") {
  ProbeFixture f(quick());
  RawClient viewer = f.client();
  viewer.send(std::string(kFollow) + "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  REQUIRE(f.wait([&] { return events(viewer) >= 1; }));
  viewer.send("noise");
  const auto seen = events(viewer);
  REQUIRE(f.wait([&] { return events(viewer) > seen + 1; }));
  CHECK(count(viewer.received(), "HTTP/1.1") == 1);
  viewer.half_close();
  CHECK(f.wait([&] { return f.server.viewers() == 0; }));
}

TEST_CASE("HEAD of the events has a head and ends") {
  ProbeFixture f(quick());
  RawClient client = f.client();
  client.send("HEAD /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  REQUIRE(f.wait([&] { return client.closed(); }));
  CHECK(client.received().starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"));
  CHECK(client.received().ends_with("\r\n\r\n"));
  CHECK(f.get("/events", "", "POST").status == 405);
}

TEST_CASE("A server goes with its viewers") {
  RawClient viewer = [] {
    ProbeFixture f(quick());
    RawClient client = f.client();
    client.send(kFollow);
    REQUIRE(f.wait([&] { return events(client) >= 1; }));
    return client;
  }();
  CHECK(viewer.closed());
}

}  // namespace
}  // namespace probegate::probe
