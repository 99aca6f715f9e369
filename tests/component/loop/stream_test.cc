#include "loop/stream.h"

#include <catch2/catch.hpp>
#include <memory>

#include "loop/timer.h"
#include "stream_pair.h"
#include "support/fake_peer.h"

namespace probegate::test {
namespace {

using loop::Address;
using loop::Stream;

// More than the kernel's socket buffers take at once.
std::string large_payload() {
  std::string bytes(24 * 1024 * 1024, '\0');
  std::uint32_t x = 1;
  for (char& c : bytes) {
    x = x * 1'664'525 + 1'013'904'223;
    c = static_cast<char>(x >> 24);
  }
  return bytes;
}

TEST_CASE("Stream tells an end that alone is wanted without a read, and a loss as before") {
  TestLoop loop;
  const bool over_unix = GENERATE(false, true);
  const bool lost = GENERATE(false, true);
  StreamPair pair(loop, over_unix ? any_unix() : any_tcp());
  pair.server.want(Stream::Wanted::end);
  REQUIRE(pair.client.write("nobody reads this"));
  if (lost) {
    pair.client.reset();
  } else {
    pair.client.half_close();
  }
  REQUIRE(loop.until([&] { return pair.server_saw.hang_ups > 0; }));
  pair.server.read_start();
  REQUIRE(loop.until([&] { return pair.server_saw.ends + pair.server_saw.losses > 0; }));
  if (lost && !over_unix) {
    CHECK(pair.server_saw.losses == 1);
    CHECK(pair.server_saw.ends == 0);
  }
  if (lost) return;  // of a unix socket it is an end like any other
  CHECK(pair.server_saw.ends == 1);
  CHECK(pair.server_saw.received.empty());
  CHECK_FALSE(pair.server.reading());
  REQUIRE(pair.server.write("still open"));
  pair.client.read_start();
  CHECK(loop.until([&] { return pair.client_saw.received == "still open"; }));
}

TEST_CASE("Stream tells that its peer has hung up though nobody reads, behind bytes too, and once") {
  TestLoop loop;
  const bool over_unix = GENERATE(false, true);
  StreamPair pair(loop, over_unix ? any_unix() : any_tcp());
  if (GENERATE(false, true)) REQUIRE(pair.client.write("nobody reads this"));
  SECTION("FIN, and then RST") {
    pair.client.half_close();
    REQUIRE(loop.until([&] { return pair.server_saw.hang_ups == 1; }));
    CHECK(pair.server_saw.hang_up == loop::HangUp::end);
    pair.client.reset();
    REQUIRE(loop.until([&] { return pair.server_saw.hang_ups == 2; }));
    CHECK((pair.server_saw.hang_up == loop::HangUp::end) == false);
  }
  SECTION("RST") {
    pair.client.reset();
    REQUIRE(loop.until([&] { return pair.server_saw.hang_ups == 1; }));
    CHECK(pair.server_saw.hang_up == (over_unix ? loop::HangUp::closed : loop::HangUp::lost));
  }
  SECTION("FIN after ours") {
    pair.server.half_close();
    pair.client.half_close();
    REQUIRE(loop.until([&] { return pair.server_saw.hang_ups == 1; }));
    CHECK(pair.server_saw.hang_up == loop::HangUp::end);
  }
  const int told = pair.server_saw.hang_ups;
  loop.settle();
  CHECK(pair.server_saw.hang_ups == told);
  CHECK(pair.server_saw.ends + pair.server_saw.losses == 0);
  pair.server.read_start();
  CHECK(loop.until([&] { return pair.server_saw.ends + pair.server_saw.losses == 1; }));
}

TEST_CASE("Stream that stops reading tells of the end it has known of before") {
  TestLoop loop;
  StreamPair pair(loop, any_tcp());
  pair.server_saw.hook = [&](const std::string& event) {
    if (event == "data") pair.server.read_stop();
  };
  REQUIRE(pair.client.write("and goes"));
  pair.client.half_close();
  loop.settle();
  pair.server.read_start();
  REQUIRE(loop.until([&] { return pair.server_saw.hang_ups == 1; }));
  CHECK(pair.server_saw.received == "and goes");
  CHECK(pair.server_saw.ends == 0);
}

TEST_CASE("Stream is quiet until something has come, though another is told first in the same turn") {
  TestLoop loop;
  StreamPair one(loop, any_tcp()), two(loop, any_tcp());
  const bool by_end = GENERATE(false, true);
  bool first = true;
  bool quiet = true;
  const auto look = [&](Stream& other) {
    return [&](const std::string&) {
      if (std::exchange(first, false)) quiet = other.quiet();
    };
  };
  one.server_saw.hook = look(two.server);
  two.server_saw.hook = look(one.server);
  one.server.read_start();
  two.server.read_start();
  loop.settle();
  CHECK(one.server.quiet());
  CHECK(two.server.quiet());
  for (StreamPair* pair : {&one, &two}) {
    if (by_end) {
      pair->client.half_close();
    } else {
      REQUIRE(pair->client.write("unasked"));
    }
  }
  REQUIRE(loop.until([&] { return !first; }));
  CHECK_FALSE(quiet);
}

TEST_CASE("Stream carries bytes both ways") {
  TestLoop loop;
  StreamPair pair(loop, GENERATE(any_tcp(), any_unix()));
  pair.client.read_start();
  pair.server.read_start();

  REQUIRE(pair.client.write("ping"));
  REQUIRE(pair.server.write("po", "ng"));

  CHECK(loop.until([&] { return pair.server_saw.received == "ping" && pair.client_saw.received == "pong"; }));
  CHECK_FALSE(pair.client.busy());
  CHECK(pair.client_saw.drains == 0);
}

TEST_CASE("Stream keeps what a slow reader does not take and hands all of it over, in order") {
  TestLoop loop;
  StreamPair pair(loop, GENERATE(any_tcp(), any_unix()));
  const std::string payload = large_payload();
  const std::string tail = "the end";

  REQUIRE(pair.client.write(payload));
  REQUIRE(pair.client.busy());
  CHECK(pair.client.queued() > 0);
  CHECK(pair.client.queued() < payload.size());
  REQUIRE(pair.client.write(tail, tail));
  loop.settle();
  CHECK(pair.client.busy());

  pair.server.read_start();
  REQUIRE(loop.until([&] { return pair.client_saw.drains > 0; }));
  CHECK(pair.client_saw.drains == 1);
  CHECK_FALSE(pair.client.busy());
  CHECK(pair.client.queued() == 0);
  REQUIRE(loop.until([&] { return pair.server_saw.received.size() == payload.size() + 2 * tail.size(); }));
  CHECK((pair.server_saw.received == payload + tail + tail));
}

TEST_CASE("Stream splits a gathered write at any byte") {
  TestLoop loop;
  StreamPair pair(loop, any_unix());
  const std::string payload = large_payload();
  const std::size_t head = GENERATE(0, 1, 100'000, 24 * 1024 * 1024);

  REQUIRE(
      pair.client.write(std::string_view(payload).substr(0, head), std::string_view(payload).substr(head)));
  pair.server.read_start();

  REQUIRE(loop.until([&] { return pair.server_saw.received.size() == payload.size(); }));
  CHECK((pair.server_saw.received == payload));
}

TEST_CASE("Stream half-closes each direction on its own") {
  TestLoop loop;
  StreamPair pair(loop, GENERATE(any_tcp(), any_unix()));
  pair.client.read_start();
  pair.server.read_start();

  REQUIRE(pair.client.write("question"));
  pair.client.half_close();
  REQUIRE(loop.until([&] { return pair.server_saw.ends == 1; }));
  CHECK(pair.server_saw.received == "question");

  REQUIRE(pair.server.write("answer"));
  pair.server.half_close();
  REQUIRE(loop.until([&] { return pair.client_saw.ends == 1; }));
  CHECK(pair.client_saw.received == "answer");
  CHECK(pair.client_saw.losses + pair.server_saw.losses == 0);
}

TEST_CASE("Stream sends its FIN after what is queued") {
  TestLoop loop;
  StreamPair pair(loop, GENERATE(any_tcp(), any_unix()));
  const std::string payload = large_payload();

  REQUIRE(pair.client.write(payload));
  pair.client.half_close();
  REQUIRE(pair.client.busy());
  loop.settle();
  CHECK(pair.server_saw.ends == 0);

  pair.server.read_start();
  REQUIRE(loop.until([&] { return pair.server_saw.ends == 1; }));
  CHECK((pair.server_saw.received == payload));
}

TEST_CASE("Stream pauses and resumes reading without losing a byte") {
  TestLoop loop;
  StreamPair pair(loop, any_tcp());
  pair.server.read_start();
  pair.server_saw.hook = [&](const std::string&) { pair.server.read_stop(); };

  REQUIRE(pair.client.write("first"));
  REQUIRE(loop.until([&] { return pair.server_saw.received == "first"; }));
  CHECK_FALSE(pair.server.reading());
  REQUIRE(pair.client.write("second"));
  loop.settle();
  CHECK(pair.server_saw.received == "first");

  pair.server.read_start();
  CHECK(pair.server.reading());
  CHECK(loop.until([&] { return pair.server_saw.received == "firstsecond"; }));
}

TEST_CASE("Stream's reset reaches the peer as a loss, its close as an end") {
  TestLoop loop;
  StreamPair pair(loop, any_tcp());
  pair.server.read_start();

  SECTION("reset") {
    pair.client.reset();
    REQUIRE(loop.until([&] { return pair.server_saw.losses == 1; }));
    CHECK(loop::error_text(pair.server_saw.status) == "connection reset by peer");
    CHECK(pair.server_saw.ends == 0);
    CHECK_FALSE(pair.server.write("too late"));
  }
  SECTION("close") {
    pair.client.close();
    REQUIRE(loop.until([&] { return pair.server_saw.ends == 1; }));
    CHECK(pair.server_saw.losses == 0);
  }
  loop.settle();
  CHECK(pair.server_saw.losses + pair.server_saw.ends == 1);
}

TEST_CASE("Stream reports a broken connection once, also with reads and writes under way") {
  TestLoop loop;
  StreamPair pair(loop, any_tcp());
  pair.client.read_start();
  REQUIRE(pair.client.write(large_payload()));
  REQUIRE(pair.client.busy());

  pair.server.reset();

  REQUIRE(loop.until([&] { return pair.client_saw.losses > 0; }));
  loop.settle();
  CHECK(pair.client_saw.losses == 1);
  CHECK(pair.client_saw.drains == 0);
  CHECK_FALSE(pair.client.write("more"));
}

TEST_CASE("Stream may be closed inside every one of its callbacks") {
  TestLoop loop;
  StreamPair pair(loop, GENERATE(any_tcp(), any_unix()));
  const std::string event = GENERATE("data", "end", "lost", "drained");
  pair.client.read_start();
  int calls = 0;
  pair.client_saw.hook = [&](const std::string& happened) {
    if (happened != event) return;
    ++calls;
    pair.client.close();
  };
  if (event == "lost" || event == "drained") {
    REQUIRE(pair.client.write(large_payload()));
  }
  if (event == "data") {
    REQUIRE(pair.server.write("some bytes"));
  } else if (event == "end") {
    REQUIRE(pair.server.write("some bytes"));
    pair.server.close();
  } else if (event == "lost") {
    // TCP sends RST, and a unix socket answers the write with EPIPE or the read with ECONNRESET.
    pair.server.reset();
  } else {
    pair.server.read_start();
  }

  REQUIRE(loop.until([&] { return calls > 0; }));
  loop.settle();
  CHECK(calls == 1);
  CHECK_FALSE(pair.client.is_open());
}

TEST_CASE("Stream closed with bytes still queued drops them and calls nobody") {
  TestLoop loop;
  StreamPair pair(loop, GENERATE(any_tcp(), any_unix()));
  REQUIRE(pair.client.write(large_payload()));
  REQUIRE(pair.client.busy());
  pair.client.close();
  loop.settle();
  CHECK(pair.client_saw.drains + pair.client_saw.losses == 0);
}

TEST_CASE("Stream closed while it connects calls nobody") {
  TestLoop loop;
  const bool black = GENERATE(true, false);
  BlackHole hole;
  FakePeer peer(loop, Script{});
  Recorder saw;
  int status = 0;
  auto stream = std::make_unique<Stream>(
      Stream::connect(*loop, *Address::literal(black ? hole.endpoint() : peer.endpoint()), saw, status));
  REQUIRE(status == 0);
  if (black) loop.settle();
  stream.reset();
  loop.settle();
  CHECK(saw.connected == 0);
}

TEST_CASE("Stream may be closed inside on_connected") {
  TestLoop loop;
  FakePeer peer(loop, Script{});
  const bool refused = GENERATE(true, false);
  const auto endpoint = refused ? Endpoint::tcp("127.0.0.1", closed_port()) : peer.endpoint();
  Recorder saw;
  Stream stream;
  saw.hook = [&](const std::string&) { stream.close(); };
  int status = 0;
  stream = Stream::connect(*loop, *Address::literal(endpoint), saw, status);
  REQUIRE(loop.until([&] { return saw.connected == 1; }));
  CHECK((saw.status == 0) == !refused);
  CHECK_FALSE(stream.is_open());
}

TEST_CASE("Stream says why a connect failed") {
  TestLoop loop;
  Recorder saw;
  int status = 0;
  const auto [endpoint, text] = GENERATE(table<std::string, std::string>(
      {{"tcp", "connection refused"}, {"unix:/tmp/probegate-nobody.sock", "no such file or directory"}}));
  const auto where =
      endpoint == "tcp" ? Endpoint::tcp("127.0.0.1", closed_port()) : *Endpoint::parse(endpoint);
  const Stream stream = Stream::connect(*loop, *Address::literal(where), saw, status);
  REQUIRE(status == 0);
  REQUIRE(loop.until([&] { return saw.connected == 1; }));
  CHECK(loop::error_text(saw.status) == text);
}

TEST_CASE("Stream moved elsewhere goes on with its own observer") {
  TestLoop loop;
  StreamPair pair(loop, any_tcp());
  pair.server.read_start();
  auto moved = std::make_unique<Stream>(std::move(pair.client));
  CHECK_FALSE(pair.client.is_open());
  REQUIRE(moved->write("still here"));
  REQUIRE(loop.until([&] { return pair.server_saw.received == "still here"; }));

  Recorder other;
  moved->set_observer(other);
  moved->read_start();
  REQUIRE(pair.server.write("answer"));
  CHECK(loop.until([&] { return other.received == "answer"; }));
  CHECK(pair.client_saw.received.empty());
}

TEST_CASE("Stream knows its peer") {
  TestLoop loop;
  SECTION("TCP") {
    StreamPair pair(loop, any_tcp());
    CHECK(pair.server.peer().ip() == "127.0.0.1");
    CHECK(pair.server.peer().port() != 0);
  }
  SECTION("unix") {
    StreamPair pair(loop, any_unix());
    CHECK(pair.server.peer().is_unix());
  }
}

}  // namespace
}  // namespace probegate::test
