#include "probe/probe_server.h"

#include <deque>
#include <nlohmann/json.hpp>
#include <random>

#include "probe_fixture.h"

namespace probegate::probe {
namespace {

using health::GateState;

constexpr std::string_view kGet = "GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_CASE("Every path and its aliases answer what the gate says, with or without a query") {
  struct Row {
    const char* path;
    int starting;
    int open;
  };
  const Row rows[] = {{"/health/startup", 503, 200},
                      {"/startup", 503, 200},
                      {"/health/ready", 503, 200},
                      {"/readyz", 503, 200},
                      {"/health", 200, 200},
                      {"/health/live", 200, 200},
                      {"/livez", 200, 200},
                      {"/healthz", 200, 200},
                      {"/status", 200, 200},
                      {"/", 200, 200},
                      {"/metrics", 200, 200},
                      {"/nothing", 404, 404},
                      {"/health/", 404, 404},
                      {"/readyz?verbose&x=/y", 503, 200},
                      {"/?a", 200, 200}};
  ProbeFixture f;
  for (const GateState gate : {GateState::starting, GateState::open}) {
    f.server.publish(f.snapshot(gate));
    for (const Row& row : rows) {
      CAPTURE(row.path, to_string(gate));
      const Answer answer = f.get(row.path);
      const int expected = gate == GateState::open ? row.open : row.starting;
      CHECK(answer.status == expected);
      CHECK(answer.field("Cache-Control") == "no-store");
      CHECK(answer.field("Retry-After").empty() == (expected != 503));
      CHECK(answer.field("Date").size() == 29);
    }
  }
}

TEST_CASE("The document says why, and says it anew after each published snapshot") {
  ProbeFixture f;
  auto json = nlohmann::json::parse(f.get("/health/ready").body);
  CHECK(json["status"] == "not_ready");
  CHECK(json["database"] == false);
  CHECK(json["waiting_for"] == nlohmann::json{"database"});
  CHECK(json["checks"]["database"]["error"]["kind"] == "connect");
  f.server.publish(f.snapshot(GateState::open));
  json = nlohmann::json::parse(f.get("/health/ready").body);
  CHECK(json["status"] == "ready");
  CHECK(json["database"] == true);
  CHECK(json["checks"]["database"]["error"].is_null());
}

TEST_CASE("The time in the document runs on although nothing was published") {
  ProbeFixture f;
  const auto first = nlohmann::json::parse(f.get("/health/live").body);
  nlohmann::json later;
  const TimePoint end = f.now() + 10s;
  do {
    later = nlohmann::json::parse(f.get("/health/live").body);
  } while ((later["uptime_seconds"] == first["uptime_seconds"] || later["timestamp"] == first["timestamp"]) &&
           f.now() < end);
  CHECK(later["uptime_seconds"] > first["uptime_seconds"]);
  CHECK(later["timestamp"] > first["timestamp"]);
}

TEST_CASE("HEAD has the fields of GET and no body") {
  ProbeFixture f;
  for (const char* path : {"/health/ready", "/nothing", "/health/live"}) {
    CAPTURE(path);
    const Answer get = f.get(path);
    RawClient client = f.client();
    client.send("HEAD " + std::string(path) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    REQUIRE(f.wait([&] { return client.closed(); }));
    std::string text = client.received();
    Answer head;
    REQUIRE(take_answer(text, head, true));
    CHECK(text.empty());
    CHECK(head.status == get.status);
    CHECK(head.field("Content-Type") == get.field("Content-Type"));
    CHECK(head.field("Retry-After") == get.field("Retry-After"));
    CHECK(std::stoul(head.field("Content-Length")) > 0);
  }
}

TEST_CASE("Other methods get 405 with Allow as JSON, also with a body, and the answer arrives") {
  ProbeFixture f;
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    const Answer answer = f.get("/health/ready", "Content-Length: 0\r\n", method);
    CHECK(answer.status == 405);
    CHECK(answer.field("Allow") == "GET, HEAD");
    CHECK(nlohmann::json::accept(answer.body));
  }
}

TEST_CASE("A body nobody asked for is taken and thrown away, so that its sender sees the answer") {
  ProbeFixture f;
  const std::string piece(30'000, 'x');
  RawClient client = f.client();
  client.send("POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n" + piece);
  const Answer answer = f.answer(client);
  CHECK(answer.status == 405);
  CHECK(answer.field("Connection") == "close");
  for (int i = 0; i < 2; ++i) {
    client.send(piece);  // fails once the server has reset the connection
    f.loop.settle();
  }
  client.half_close();
  CHECK(f.wait([&] { return f.server.connections() == 0; }));
  CHECK_FALSE(client.was_reset());
}

TEST_CASE("Unknown paths get 404 as JSON") {
  ProbeFixture f;
  const Answer answer = f.get("/health/nothing");
  CHECK(answer.status == 404);
  CHECK(answer.field("Content-Type") == "application/json");
  CHECK(nlohmann::json::parse(answer.body)["error"] == "not found");
}

TEST_CASE("Accept chooses the health draft and OpenMetrics, and nothing else does") {
  ProbeFixture f;
  CHECK(f.get("/health/ready").field("Content-Type") == "application/json");
  CHECK(f.get("/health/ready", "Accept: */*\r\n").field("Content-Type") == "application/json");
  const Answer draft = f.get("/health/ready", "Accept: application/health+json\r\n");
  CHECK(draft.field("Content-Type") == "application/health+json");
  CHECK(draft.status == 503);
  CHECK(nlohmann::json::parse(draft.body)["status"] == "fail");
  CHECK(f.get("/metrics").field("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  const Answer open =
      f.get("/metrics", "Accept: application/openmetrics-text;version=1.0.0;q=0.8,*/*;q=0.1\r\n");
  CHECK(open.field("Content-Type") == "application/openmetrics-text; version=1.0.0; charset=utf-8");
  CHECK(open.body.substr(open.body.size() - 6) == "# EOF\n");
}

TEST_CASE("A connection serves one request after another, and HTTP/1.0 is told that it stays open") {
  ProbeFixture f;
  RawClient client = f.client();
  for (int i = 0; i < 3; ++i) {
    RawClient& same = client;
    const std::size_t before = same.received().size();
    same.send(kGet);
    REQUIRE(f.wait([&] { return same.received().size() > before; }));
    CHECK(same.received().compare(before, 12, "HTTP/1.1 503") == 0);
  }
  CHECK_FALSE(client.closed());
  CHECK(f.server.connections() == 1);

  RawClient old = f.client();
  old.send("GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(f.answer(old).field("Connection") == "keep-alive");
  RawClient oldest = f.client();
  oldest.send("GET /livez HTTP/1.0\r\n\r\n");
  CHECK(f.answer(oldest).field("Connection") == "close");
  CHECK(f.wait([&] { return oldest.closed(); }));
}

TEST_CASE("Pipelined requests are answered in order, however they are cut") {
  ProbeFixture f;
  const std::string requests =
      "GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
      "HEAD /readyz HTTP/1.1\r\nHost: x\r\n\r\nGET /startup HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  for (std::size_t cut = 0; cut < requests.size(); cut += 7) {
    CAPTURE(cut);
    RawClient client = f.client();
    client.send(requests.substr(0, cut));
    f.loop.settle();
    client.send(requests.substr(cut));
    REQUIRE(f.wait([&] { return client.closed(); }));
    std::string text = client.received();
    Answer answer;
    std::vector<int> statuses;
    for (const bool head_only : {false, false, true, false}) {
      REQUIRE(take_answer(text, answer, head_only));
      statuses.push_back(answer.status);
    }
    CHECK(statuses == std::vector<int>{200, 404, 503, 503});
    CHECK(text.empty());
  }
}

TEST_CASE("A client that pipelines without end is told to come again, and costs bounded memory") {
  ProbeLimits limits;
  limits.answer_bytes = 8 * 1024;
  ProbeFixture f(limits);
  RawClient client = f.client();
  std::string many;
  for (int i = 0; i < 400; ++i) many += kGet;
  client.send(many);
  client.half_close();
  REQUIRE(f.wait([&] { return client.closed(); }));
  std::string text = client.received();
  CHECK(text.size() < limits.answer_bytes + 4096);
  Answer answer;
  int count = 0;
  while (take_answer(text, answer)) ++count;
  CHECK(count > 1);
  CHECK(text.empty());
  CHECK(answer.field("Connection") == "close");
}

TEST_CASE("What is no HTTP gets 400 and the connection ends") {
  ProbeFixture f;
  for (const std::string& garbage :
       {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), std::string("hello\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), std::string("GET / HTTP/1.1\r\n\r\n"),
        std::string(64, '\0')}) {
    CAPTURE(garbage);
    RawClient client = f.client();
    client.send(garbage);
    client.half_close();
    REQUIRE(f.wait([&] { return client.closed(); }));
    std::string text = client.received();
    Answer answer;
    if (take_answer(text, answer)) {
      CHECK(answer.status == 400);
      CHECK(answer.field("Connection") == "close");
      CHECK(nlohmann::json::accept(answer.body));
    } else {
      CHECK(garbage.find('\n') == std::string::npos);  // never a whole line: the end came first
    }
    CHECK(text.empty());
  }
  CHECK(f.wait([&] { return f.server.connections() == 0; }));
}

TEST_CASE("Random bytes never hurt, and the server answers after them") {
  ProbeFixture f;
  std::mt19937 random(20231127);
  for (int round = 0; round < 200; ++round) {
    RawClient client = f.client();
    std::string bytes = round % 2 == 0 ? "GET /livez HTTP/1.1\r\nHost: x\r\n" : "";
    for (int i = 0; i < 300; ++i) bytes += static_cast<char>(random());
    client.send(bytes);
    client.half_close();
    REQUIRE(f.wait([&] { return client.closed(); }));
  }
  CHECK(f.get("/livez").status == 200);
  CHECK(f.wait([&] { return f.server.connections() == 0; }));
}

TEST_CASE("A head over the limit gets 431") {
  ProbeFixture f;
  RawClient client = f.client();
  client.send("GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + std::string(20'000, 'a'));
  CHECK(f.answer(client).status == 431);
  client.half_close();
  CHECK(f.wait([&] { return client.closed(); }));
}

TEST_CASE("A slow head gets 408, trickling or not, and a silent connection just ends") {
  ProbeLimits limits;
  limits.head_timeout = 100ms;
  limits.head_bytes = 1024 * 1024;  // so that time runs out first
  ProbeFixture f(limits);
  RawClient slow = f.client();
  RawClient silent = f.client();
  std::string trickle = "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ";
  trickle += std::string(1'000'000, 'a');
  std::size_t sent = 0;
  REQUIRE(f.wait([&] {
    if (sent < trickle.size() && slow.received().empty()) slow.send(trickle.substr(sent++, 1));
    return !slow.received().empty();
  }));
  CHECK(f.answer(slow).status == 408);
  REQUIRE(f.wait([&] { return silent.closed(); }));
  CHECK(silent.received().empty());
}

TEST_CASE("An idle connection ends after the idle timeout") {
  ProbeLimits limits;
  limits.idle_timeout = 100ms;
  ProbeFixture f(limits);
  RawClient client = f.client();
  client.send(kGet);
  CHECK(f.answer(client).status == 503);
  CHECK(f.wait([&] { return client.closed(); }));
  CHECK(f.server.connections() == 0);
}

TEST_CASE("A client that does not take its answers is read no further, and cut") {
  ProbeLimits limits;
  limits.answer_timeout = 200ms;
  ProbeFixture f(limits);
  RawClient client = f.client();
  const int small = 4096;
  ::setsockopt(client.descriptor(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  REQUIRE(f.wait([&] { return f.server.connections() == 1; }));
  // One request a turn for ever: were they read, each would start the timeout anew.
  std::size_t sent = 0;
  CHECK(f.wait([&] {
    constexpr std::string_view request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    const bool taken =
        ::send(client.descriptor(), request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
    sent += taken ? 1 : 0;
    return f.server.connections() == 0;
  }));
  CHECK(sent > 100);
}

TEST_CASE("A client that reads slowly gets every byte of a long answer") {
  ProbeFixture f;
  RawClient client = f.client();
  const int small = 4096;
  ::setsockopt(client.descriptor(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  client.send(
      "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  f.loop.run_for(20ms);
  REQUIRE(f.wait([&] { return client.closed(); }));
  std::string text = client.received();
  Answer metrics;
  Answer live;
  REQUIRE(take_answer(text, metrics));
  REQUIRE(take_answer(text, live));
  CHECK(metrics.body.find("process_max_fds") != std::string::npos);
  CHECK(live.status == 200);
}

TEST_CASE("A flood of silent connections never keeps a probe from its answer") {
  ProbeLimits limits;
  limits.connections = 20;
  limits.hard_connections = 60;
  limits.grace = 0ms;
  ProbeFixture f(limits);
  RawClient kept_alive = f.client();
  kept_alive.send(kGet);
  CHECK(f.answer(kept_alive).status == 503);
  std::deque<RawClient> flood;
  for (int i = 0; i < 200; ++i) {
    flood.push_back(f.client());
    if (i % 10 == 0) CHECK(f.get("/livez").status == 200);
    CHECK(f.server.connections() <= limits.connections);
  }
  CHECK(f.get("/health/ready").status == 503);
  CHECK(f.wait([&] { return flood.front().closed(); }));
  CHECK_FALSE(kept_alive.closed());  // who has asked before is not put out by those who say nothing
}

TEST_CASE("Silent connections give way without any grace, so that none of a flood keeps a prober out") {
  ProbeLimits limits;
  limits.connections = 20;
  limits.hard_connections = 30;
  limits.grace = 1h;
  ProbeFixture f(limits);
  std::deque<RawClient> flood;
  for (int i = 0; i < 100; ++i) flood.push_back(f.client());
  CHECK(f.get("/livez").status == 200);
  CHECK(f.wait([&] { return flood.front().closed(); }));
  CHECK_FALSE(flood.back().closed());
}

TEST_CASE("The connection that was useful longest ago makes room, not the oldest") {
  ProbeLimits limits;
  limits.connections = 2;
  limits.grace = 0ms;
  ProbeFixture f(limits);
  RawClient oldest = f.client();
  RawClient unused = f.client();
  REQUIRE(f.wait([&] { return f.server.connections() == 2; }));
  oldest.send(kGet);
  CHECK(f.answer(oldest).status == 503);
  RawClient newest = f.client();
  REQUIRE(f.wait([&] { return unused.closed(); }));
  CHECK_FALSE(oldest.closed());
  CHECK_FALSE(newest.closed());
}

TEST_CASE("Connections within their grace are not cut, and beyond the hard limit new ones are dropped") {
  ProbeLimits limits;
  limits.connections = 5;
  limits.hard_connections = 10;
  limits.grace = 1h;
  ProbeFixture f(limits);
  std::deque<RawClient> useful;
  for (int i = 0; i < 10; ++i) {
    useful.push_back(f.client());
    useful.back().send(kGet);
    CHECK(f.answer(useful.back()).status == 503);
  }
  RawClient late = f.client();
  REQUIRE(f.wait([&] { return late.closed(); }));
  CHECK(f.server.connections() == 10);
  CHECK_FALSE(useful.front().closed());
  useful.front().send(kGet);
  CHECK(f.answer(useful.front()).status == 503);
}

TEST_CASE("The server goes away in the middle of everything without a trace") {
  auto f = std::make_unique<ProbeFixture>();
  std::deque<RawClient> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(f->client());
    clients.back().send(i % 2 == 0 ? "GET /livez HT" : kGet);
  }
  REQUIRE(f->wait([&] { return f->server.connections() == 10 && !clients.back().received().empty(); }));
  f.reset();
  CHECK(clients.front().closed());
}

TEST_CASE("The server listens on several sockets") {
  ProbeFixture f;
  const auto second = loop::ListenSocket::bind(Endpoint::tcp("127.0.0.1", 0));
  REQUIRE(second);
  REQUIRE(f.server.listen(*second));
  RawClient client(second->endpoint().port);
  client.send(kGet);
  CHECK(f.answer(client).status == 503);
  CHECK(f.get("/livez").status == 200);
}

}  // namespace
}  // namespace probegate::probe
