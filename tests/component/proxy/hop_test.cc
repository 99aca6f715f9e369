// What ends at this hop, and what goes on from it: trailers, Max-Forwards, connections that grow old.
#include <catch2/catch.hpp>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "auth_rig.h"
#include "bare_environment.h"
#include "exchange.h"
#include "proxy/backend_pool.h"
#include "support/fake_peer.h"

namespace probegate::test {
namespace {

// A pool whose connections grow old within a test's time.
struct OldAge {
  OldAge(const Endpoint& backend, Duration lifetime, std::uint64_t descriptors = 100)
      : bare(backend, descriptors), pool(bare.environment, lifetime) {}

  loop::Stream connect() {
    loop::Stream stream;
    const auto connecting = pool.connect([&](loop::Stream connected) { stream = std::move(connected); },
                                         [](proxy::BackendPool::Failure) {});
    REQUIRE(bare.loop.until([&] { return stream.is_open(); }));
    return stream;
  }

  BareEnvironment bare;
  proxy::BackendPool pool;
};

const std::string kWithTrailers =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: "
    "1\r\nX-Other: 2\r\n\r\n";

}  // namespace

TEST_CASE("Trailers of an answer go to a client that asked for them, and to no other") {
  struct Row {
    std::string name, fields;
    bool passed;
  };
  const std::vector<Row> rows = {
      {"asked for", "TE: trailers\r\nConnection: TE\r\n", true},
      {"asked for among others", "TE: gzip;q=0.5, Trailers\r\n", true},
      {"not asked for", "", false},
      {"something else asked for", "TE: gzip\r\n", false},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name) {
      TestLoop loop;
      LiveBackend backend(loop);
      ProxyFixture proxy(loop, backend.endpoint());
      FakeClient client(loop, proxy.endpoint());
      // The answer in two parts, cut at each byte behind the head.
      for (std::size_t cut = kWithTrailers.find("\r\n\r\n") + 4; cut <= kWithTrailers.size(); ++cut) {
        INFO("cut at " << cut);
        client.send("GET / HTTP/1.1\r\nHost: example\r\n" + row.fields + "\r\n");
        Wire& server = backend.await_request();
        server.take();
        server.send(kWithTrailers.substr(0, cut));
        loop.settle(2);
        server.send(kWithTrailers.substr(cut));
        const Answer answer = next_answer(loop, client);
        CHECK(answer.chunked);
        CHECK(answer.body == "abc");
        CHECK(answer.trailers == (row.passed ? "X-Sum: 1\r\nX-Other: 2\r\n" : ""));
        CHECK(answer.get("trailer") == (row.passed ? "X-Sum" : ""));
        CHECK(client.received().empty());
      }
      CHECK(backend.connections() == 1);
    }
  }
}

TEST_CASE("A request's trailers say nothing that only its head may say") {
  struct Row {
    std::string line;
    int status;
  };
  const std::vector<Row> rows = {
      {"X-Sum: 1", 200},
      {"X-User-Id: root", 400},
      {"x_user_id: root", 400},
      {"X.User.Id: root", 400},
      {"Authorization: x", 400},
      {"Cookie: a=b", 400},
      {"Content-Type: text/html", 400},
      {"Content_Type: text", 400},
      {"If-None-Match: *", 400},
      {"Range: bytes=0-", 400},
      {"Origin: null", 400},
      {"Forwarded: for=6.6.6.6", 400},
      {"X-Forwarded-For: 6.6.6.6", 400},
      {"X.Real.IP: 6.6.6.6", 400},
      {"True-Client-IP: 6.6.6.6", 400},
      {"Content-Length: 3", 400},
      {"Host: evil", 400},
      {"X-User-Ids: 1", 200},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.line) {
      AuthRig rig;
      FakeClient client(rig.loop, rig.proxy.endpoint(),
                        "POST / HTTP/1.1\r\nHost: example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
      Wire& server = rig.backend.await();
      REQUIRE(rig.loop.until([&] { return server.received().ends_with("abc\r\n"); }));
      server.take();
      const std::string end = "0\r\n" + row.line + "\r\n\r\n";
      client.send(end);
      if (row.status == 200) {
        REQUIRE(rig.loop.until([&] { return server.received() == end; }));
        server.send(kOk);
      }
      CHECK(next_answer(rig.loop, client).status == row.status);
      if (row.status == 400) {
        CHECK(rig.loop.until([&] { return server.gone(); }));
        CHECK(server.received().empty());
      }
    }
  }
}

TEST_CASE(
    "Where every request is asked about, trailers named like what auth sets are refused in any spelling") {
  const std::string name = GENERATE("X-User-Id", "x_user_id", "X.User.Id", "X-Pass");
  AuthRig rig([](config::Config& config) { config.auth->all_requests = true; });
  const std::string body = "3\r\nabc\r\n0\r\n" + name + ": root\r\n\r\n";
  const bool at_once = GENERATE(true, false);
  FakeClient client(rig.loop, rig.proxy.endpoint(),
                    "POST / HTTP/1.1\r\nHost: example\r\nTransfer-Encoding: chunked\r\nTrailer: " + name +
                        "\r\n\r\n" + (at_once ? body : ""));
  rig.question();
  rig.answer("HTTP/1.1 200 OK\r\nX-User-Id: ada\r\nContent-Length: 0\r\n\r\n");
  const std::string head = rig.forwarded();
  CHECK(has_line(head, "X-User-Id: ada"));
  if (!at_once) client.send(body);
  CHECK(next_answer(rig.loop, client).status == 400);
  CHECK(rig.loop.until([&] { return rig.backend.wire(0).gone(); }));
  CHECK(rig.backend.wire(0).received().find("root") == std::string::npos);
}

TEST_CASE("OPTIONS with no forwards left is answered here, and with some left goes on with one less") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint());
  const auto ask = [](const std::string& target, const std::string& value) {
    return "OPTIONS " + target + " HTTP/1.1\r\nHost: example\r\nMax-Forwards: " + value + "\r\n\r\n";
  };
  SECTION("none left") {
    const std::string target = GENERATE("*", "/x", "http://example");
    FakeClient client(loop, proxy.endpoint(), ask(target, "0") + kGet);
    const Answer answer = next_answer(loop, client);
    CHECK(answer.status == 204);
    CHECK(answer.get("allow").find("OPTIONS") != std::string::npos);
    CHECK(answer.get("connection") == "close");
    CHECK(loop.until([&] { return client.ended(); }));
    CHECK(client.received().empty());
    CHECK(backend.connections() == 0);
    CHECK(proxy.metrics().requests.value(204) == 1);
  }
  SECTION("some left") {
    FakeClient client(loop, proxy.endpoint(), ask("*", "1"));
    Wire& server = backend.await_request();
    CHECK(server.received().starts_with("OPTIONS * HTTP/1.1\r\n"));
    CHECK(server.received().find("\r\nMax-Forwards: 0\r\n") != std::string::npos);
    server.send(kOk);
    CHECK(next_answer(loop, client).status == 200);
  }
  SECTION("TRACE shows nobody what is added for the backend") {
    FakeClient client(loop, proxy.endpoint(), "TRACE / HTTP/1.1\r\nHost: example\r\nMax-Forwards: 5\r\n\r\n");
    const Answer answer = next_answer(loop, client);
    CHECK(answer.status == 405);
    CHECK(answer.get("allow").find("GET") != std::string::npos);
    CHECK(backend.connections() == 0);
  }
}

TEST_CASE("A busy connection to the backend serves until its time is over, and not longer") {
  OldAge age(Endpoint::tcp("127.0.0.1", 1), 5min);
  LiveBackend backend(age.bare.loop);
  age.bare.environment.config = BareEnvironment::configuration(backend.endpoint());

  // A tenth either way of the five minutes, for each connection anew.
  std::set<std::uint64_t> ends;
  const auto now = age.bare.loop->turn_ms();
  for (int i = 0; i < 200; ++i) ends.insert(age.pool.new_lease().until_ms - now);
  CHECK(*ends.begin() >= 270'000);
  CHECK(*ends.begin() < 280'000);
  CHECK(*ends.rbegin() <= 330'000);
  CHECK(*ends.rbegin() > 320'000);

  proxy::BackendPool::Lease lease = age.pool.new_lease();
  age.pool.give_back(age.connect(), lease, {});
  proxy::BackendPool::Lease taken;
  auto stream = std::make_optional(age.pool.take_idle(taken));
  REQUIRE(stream->is_open());
  CHECK(taken.until_ms == lease.until_ms);
  const auto give_back = [&] { age.pool.give_back(*std::exchange(stream, {}), taken, {}); };

  SECTION("over while a request was under way") {
    taken.until_ms = age.bare.loop->turn_ms();
    give_back();
    CHECK_FALSE(age.pool.take_idle(taken).is_open());
    CHECK(age.bare.loop.until([&] { return backend.await().gone(); }));
  }
  SECTION("begun for a backend that is configured no more") {
    age.pool.backend_changed();
    give_back();
    CHECK_FALSE(age.pool.take_idle(taken).is_open());
  }
}

TEST_CASE("An idle connection to the backend ends when its time is over, before its idle time is") {
  OldAge age(Endpoint::tcp("127.0.0.1", 1), 50ms);
  LiveBackend backend(age.bare.loop);
  age.bare.environment.config = BareEnvironment::configuration(backend.endpoint());
  age.pool.give_back(age.connect(), age.pool.new_lease(), {});
  CHECK(age.bare.loop.until([&] { return backend.await().gone(); }, 3s));
  proxy::BackendPool::Lease lease;
  CHECK_FALSE(age.pool.take_idle(lease).is_open());
}

TEST_CASE("The idle connections to the backend are bounded, and the oldest makes room") {
  constexpr std::size_t kMost = 128;
  OldAge age(Endpoint::tcp("127.0.0.1", 1), 5min, 2'000);
  LiveBackend backend(age.bare.loop);
  age.bare.environment.config = BareEnvironment::configuration(backend.endpoint());
  std::vector<loop::Stream> streams;
  for (std::size_t i = 0; i <= kMost; ++i) {
    streams.push_back(age.connect());
    backend.await(i);
  }
  for (auto& stream : streams) age.pool.give_back(std::move(stream), age.pool.new_lease(), {});
  CHECK(age.bare.loop.until([&] { return backend.wire(0).gone(); }, 2s));
  CHECK_FALSE(backend.wire(1).gone());
  CHECK_FALSE(backend.wire(kMost).gone());
  std::size_t kept = 0;
  for (proxy::BackendPool::Lease lease; age.pool.take_idle(lease).is_open();) ++kept;
  CHECK(kept == kMost);
}

TEST_CASE("A connection to the backend is not kept in a drain, nor on a descriptor that probes may need") {
  const bool few = GENERATE(false, true);
  const auto phase = GENERATE(health::Phase::running, health::Phase::lame_duck, health::Phase::closing);
  OldAge age(Endpoint::tcp("127.0.0.1", 1), 5min, few ? 16 : 100);
  LiveBackend backend(age.bare.loop);
  age.bare.environment.config = BareEnvironment::configuration(backend.endpoint());
  loop::Stream stream = age.connect();
  Wire& server = backend.await();
  REQUIRE(age.bare.limits.is_reserve(stream.descriptor()) == few);
  age.bare.environment.gate = std::make_shared<proxy::GateView>(draining(phase));
  age.pool.give_back(std::move(stream), age.pool.new_lease(), {});
  const bool kept = !few && phase < health::Phase::closing;
  if (!kept) CHECK(age.bare.loop.until([&] { return server.gone(); }, 2s));
  proxy::BackendPool::Lease lease;
  CHECK(age.pool.take_idle(lease).is_open() == kept);
}

}  // namespace probegate::test
