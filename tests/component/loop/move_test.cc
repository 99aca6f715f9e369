// Stream::move_to: from socket to socket through a pipe.
#include <catch2/catch.hpp>
#include <functional>

#include "stream_pair.h"

namespace probegate::test {
namespace {

using loop::Pipes;
using loop::Stream;

// Moves all that comes to another stream; what cannot be moved it records.
struct Mover final : loop::StreamObserver {
  Mover(Stream& f, Stream& t, Pipes& p) : from(f), to(t), pipes(p) {
    from.set_observer(*this);
    from.want(loop::Stream::Wanted::moved);
  }
  bool on_movable() override {
    const auto result = from.move_to(to, UINT64_MAX, pipes);
    moved += result.bytes;
    broken = broken || result.broken;
    if (to.busy() || broken) from.read_stop();
    return result.possible;
  }
  void on_data(std::span<const char> bytes) override { read.append(bytes.data(), bytes.size()); }
  void on_end() override { ++ends; }
  void on_lost(int) override { ++losses; }

  Stream& from;
  Stream& to;
  Pipes& pipes;
  std::string read;
  std::size_t moved = 0;
  bool broken = false;
  int ends = 0, losses = 0;
};

// What is written to `in` comes out of `out`, moved in the middle.
struct Chain {
  explicit Chain(const Endpoint& first = any_tcp(), const Endpoint& second = any_tcp())
      : in(loop, first), out(loop, second), mover(in.server, out.client, pipes) {
    out.client_saw.hook = [this](const std::string& event) {
      if (event == "drained") in.server.read_start();
    };
    in.server.read_start();
  }
  std::string& received() { return out.server_saw.received; }

  TestLoop loop;
  Pipes pipes{1};
  StreamPair in, out;
  Mover mover;
};

std::string long_text() {
  std::string text;
  for (int i = 0; text.size() < (24u << 20); ++i) text += std::to_string(i) + ' ';
  return text;
}

}  // namespace

TEST_CASE("Stream moves all that comes to a slow reader in order, what is written meanwhile behind it") {
  const auto first = GENERATE(any_tcp(), any_unix("first"));
  const auto second = GENERATE(any_tcp(), any_unix("second"));
  Chain chain(first, second);
  const std::string text = long_text();
  REQUIRE(chain.in.client.write(text));
  REQUIRE(chain.loop.until([&] { return chain.out.client.busy(); }));
  chain.loop.settle();
  CHECK(chain.out.client.queued() > 0);
  CHECK(chain.out.client.queued() <= Pipes::kSize);
  CHECK(chain.mover.moved < text.size());
  CHECK_FALSE(chain.pipes.lend());
  const std::size_t so_far = chain.mover.moved;
  REQUIRE(chain.out.client.write("and ", "then"));
  chain.out.server.read_start();
  REQUIRE(chain.loop.until([&] { return chain.received().size() == text.size() + 8; }));
  CHECK((chain.received() == text.substr(0, so_far) + "and then" + text.substr(so_far)));
  CHECK(chain.mover.read.empty());
  CHECK(chain.pipes.lend());
}

TEST_CASE("Stream hands over what it holds in a pipe before it half-closes") {
  Chain chain;
  REQUIRE(chain.in.client.write(long_text()));
  REQUIRE(chain.loop.until([&] { return chain.out.client.busy(); }));
  const std::size_t moved = chain.mover.moved;
  chain.out.client_saw.hook = [](const std::string&) {};
  chain.out.client.half_close();
  CHECK(chain.out.server_saw.ends == 0);
  chain.out.server.read_start();
  REQUIRE(chain.loop.until([&] { return chain.out.server_saw.ends == 1; }));
  CHECK(chain.received().size() == moved);
}

TEST_CASE("Stream reads where no pipe is free, and what has to be told otherwise") {
  Chain chain;
  SECTION("no pipe") {
    const auto taken = chain.pipes.lend();
    REQUIRE(chain.in.client.write("hello"));
    CHECK(chain.loop.until([&] { return chain.mover.read == "hello"; }));
    CHECK(chain.mover.moved == 0);
  }
  SECTION("something is queued already") {
    REQUIRE(chain.out.client.write(long_text()));
    REQUIRE(chain.in.client.write("hello"));
    REQUIRE(chain.loop.until([&] { return chain.in.server.readable(); }));
    CHECK_FALSE(chain.in.server.move_to(chain.out.client, 5, chain.pipes).possible);
  }
  SECTION("the end") {
    REQUIRE(chain.in.client.write("hello"));
    chain.in.client.half_close();
    CHECK(chain.loop.until([&] { return chain.mover.ends == 1; }));
    CHECK(chain.mover.moved == 5);
  }
  SECTION("a reset") {
    chain.in.client.reset();
    CHECK(chain.loop.until([&] { return chain.mover.losses == 1; }));
  }
}

TEST_CASE("Stream tells when the one it moves to is gone, and its pipe is free again") {
  Chain chain;
  SECTION("before") {
    chain.out.server.reset();
    chain.loop.settle();
    REQUIRE(chain.in.client.write("hello"));
    CHECK(chain.loop.until([&] { return chain.mover.broken; }));
  }
  SECTION("while it waits") {
    REQUIRE(chain.in.client.write(long_text()));
    REQUIRE(chain.loop.until([&] { return chain.out.client.busy(); }));
    CHECK_FALSE(chain.pipes.lend());
    chain.out.server.reset();
    CHECK(chain.loop.until([&] { return chain.out.client_saw.losses == 1; }));
  }
  SECTION("and closed from here") {
    REQUIRE(chain.in.client.write(long_text()));
    REQUIRE(chain.loop.until([&] { return chain.out.client.busy(); }));
    chain.out.client.close();
  }
  CHECK(chain.pipes.lend());
}

}  // namespace probegate::test
