#include "loop/loop.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "loop/deadline.h"
#include "loop/fd_watch.h"
#include "loop/resolver.h"
#include "loop/signal_watch.h"
#include "loop/timer.h"
#include "loop/wakeup.h"
#include "stream_pair.h"

namespace probegate::test {
namespace {

using loop::FdWatch;
using loop::Timer;

TEST_CASE("Timer fires once, not early, and not after stop") {
  TestLoop loop;
  int fired = 0, stopped = 0;
  Timer once(loop, [&] { ++fired; });
  Timer never(loop, [&] { ++stopped; });
  const TimePoint start = loop->now();
  once.start(25ms);
  never.start(10ms);
  CHECK(once.active());
  never.stop();
  CHECK_FALSE(never.active());
  REQUIRE(loop.until([&] { return fired == 1; }));
  CHECK(loop->now() - start >= 25ms);
  loop.run_for(40ms);
  CHECK(fired == 1);
  CHECK(stopped == 0);
}

TEST_CASE("Timer started in a long turn counts from then") {
  TestLoop loop;
  bool fired = false;
  Timer timer(loop, [&] { fired = true; });
  const TimePoint busy_until = loop->now() + 50ms;
  while (loop->now() < busy_until) {
  }
  const TimePoint start = loop->now();
  timer.start(20ms);
  REQUIRE(loop.until([&] { return fired; }));
  CHECK(loop->now() - start >= 20ms);
}

TEST_CASE("Timer rounds up to the next millisecond") {
  TestLoop loop;
  bool fired = false;
  Timer timer(loop, [&] { fired = true; });
  const TimePoint start = loop->now();
  timer.start(std::chrono::microseconds(1500));
  REQUIRE(loop.until([&] { return fired; }));
  CHECK(loop->now() - start >= 1500us);
}

TEST_CASE("Timer repeats until stopped inside its callback") {
  TestLoop loop;
  int fired = 0;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(loop, [&] {
    if (++fired == 3) timer->stop();
  });
  timer->start_repeating(5ms);
  REQUIRE(loop.until([&] { return fired == 3; }));
  loop.run_for(30ms);
  CHECK(fired == 3);
}

TEST_CASE("Timer may be destroyed inside its callback and keeps what the callback holds until it returns") {
  TestLoop loop;
  const auto token = std::make_shared<int>(7);
  std::unique_ptr<Timer> timer;
  int seen = 0;
  timer = std::make_unique<Timer>(loop, [&, token] {
    timer.reset();
    seen = *token;
  });
  timer->start(1ms);
  REQUIRE(loop.until([&] { return seen == 7; }));
  loop.settle();
  CHECK(token.use_count() == 1);
}

TEST_CASE("Wakeup calls back on the loop at least once for any number of notifies") {
  TestLoop loop;
  int calls = 0;
  loop::Wakeup wakeup(loop, [&] { ++calls; });
  loop.settle();
  CHECK(calls == 0);
  for (int i = 0; i < 100; ++i) wakeup.notify();
  REQUIRE(loop.until([&] { return calls > 0; }));
  CHECK(calls <= 100);
}

TEST_CASE("Wakeup destroyed with a notify under way calls nobody") {
  TestLoop loop;
  int calls = 0;
  {
    loop::Wakeup wakeup(loop, [&] { ++calls; });
    wakeup.notify();
  }
  loop.settle();
  CHECK(calls == 0);
}

TEST_CASE("SignalWatch calls back for its signal, and not once destroyed") {
  TestLoop loop;
  int hups = 0, users = 0;
  loop::SignalWatch hup(loop, SIGHUP, [&] { ++hups; });
  auto user = std::make_unique<loop::SignalWatch>(*loop, SIGUSR1, [&] { ++users; });
  ::raise(SIGHUP);
  ::raise(SIGUSR1);
  REQUIRE(loop.until([&] { return hups == 1 && users == 1; }));

  loop::SignalWatch other(loop, SIGUSR1, [] {});  // keeps the default action, death, away
  user.reset();
  ::raise(SIGUSR1);
  loop.settle();
  CHECK(users == 1);
}

TEST_CASE("FdWatch tells readable and writable, and pauses") {
  TestLoop loop;
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  int readable = 0, writable = 0;
  {
    FdWatch watch(loop, fds[0], [&](FdWatch::Ready ready) {
      readable += ready.readable;
      writable += ready.writable;
    });
    watch.want(true, false);
    loop.settle();
    CHECK(readable + writable == 0);
    watch.want(true, true);
    REQUIRE(loop.until([&] { return writable > 0; }));
    watch.want(true, false);
    REQUIRE(::write(fds[1], "x", 1) == 1);
    REQUIRE(loop.until([&] { return readable > 0; }));
    watch.want(false, false);
    readable = writable = 0;
    loop.settle();
    CHECK(readable + writable == 0);
  }
  ::close(fds[0]);
  ::close(fds[1]);
}

TEST_CASE("FdWatch reports an error as readable and writable so that the library looks") {
  TestLoop loop;
  StreamPair pair(loop, any_tcp());
  const int fd = ::dup(pair.client.descriptor());
  bool error = false, both = false;
  FdWatch watch(loop, fd, [&](FdWatch::Ready ready) {
    error = error || ready.error;
    both = both || (ready.readable && ready.writable);
  });
  watch.want(true, false);
  pair.server.reset();
  CHECK(loop.until([&] { return both; }));
  CHECK(error);
  ::close(fd);
}

TEST_CASE("FdWatch may be replaced on the same descriptor and destroyed inside its callback") {
  TestLoop loop;
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  std::unique_ptr<FdWatch> watch;
  int first = 0, second = 0;
  watch = std::make_unique<FdWatch>(*loop, fds[0], [&](FdWatch::Ready) {
    ++first;
    watch.reset();
    watch = std::make_unique<FdWatch>(*loop, fds[0], [&](FdWatch::Ready) {
      ++second;
      watch.reset();
    });
    watch->want(false, true);
  });
  watch->want(false, true);
  REQUIRE(loop.until([&] { return second == 1; }));
  loop.settle();
  CHECK(first == 1);
  CHECK(second == 1);
  ::close(fds[0]);
  ::close(fds[1]);
}

TEST_CASE("FdWatch refuses a descriptor that cannot be watched") {
  TestLoop loop;
  FdWatch watch(loop, -1, [](FdWatch::Ready) {});
  CHECK_THROWS_AS(watch.want(true, false), std::runtime_error);
}

TEST_CASE("Loop's run_until returns what the condition says in the end, and keeps its limit") {
  TestLoop loop;
  const TimePoint start = loop->now();
  CHECK_FALSE(loop->run_until([] { return false; }, 30ms));
  const Duration took = loop->now() - start;
  CHECK(took >= 30ms);
  CHECK(took < 1s);
  CHECK(loop->run_until([] { return true; }, 0ms));
}

TEST_CASE("Loop runs until it is stopped") {
  TestLoop loop;
  int turns = 0;
  Timer timer(loop, [&] {
    if (++turns == 3) loop->stop();
  });
  timer.start_repeating(1ms);
  loop->run();
  CHECK(turns == 3);
}

TEST_CASE("Loop closes the handles of owners that are gone before it is") {
  RecordingSink sink;
  {
    loop::Loop loop(sink);
    Timer timer(loop, [] {});
    timer.start(1h);
    loop::Wakeup wakeup(loop, [] {});
  }
  CHECK(sink.errors.empty());
}

// Each kind of callback, made to throw inside a narrow scope.
class Thrower final : public loop::StreamObserver, public loop::Deadline::Observer {
 public:
  void on_connected(int) override { throw std::runtime_error("from on_connected"); }
  void on_data(std::span<const char>) override { throw std::runtime_error("from on_data"); }
  void on_end() override { throw std::runtime_error("from on_end"); }
  void on_lost(int) override { throw std::runtime_error("from on_lost"); }
  void on_drained() override { throw std::runtime_error("from on_drained"); }
  void on_deadline(loop::Deadline&) override { throw std::runtime_error("from on_deadline"); }
};

TEST_CASE("Exceptions of simple callbacks reach the sink of the scope that made the handle") {
  TestLoop loop;
  RecordingSink narrow;
  std::optional<loop::Loop::Scope> scope(std::in_place, *loop, &narrow);

  SECTION("timer") {
    Timer timer(loop, [] { throw std::runtime_error("from a timer"); });
    timer.start(1ms);
    scope.reset();
    REQUIRE(loop.until([&] { return !narrow.errors.empty(); }));
    CHECK(narrow.errors.front() == "from a timer");
  }
  SECTION("wakeup") {
    loop::Wakeup wakeup(loop, [] { throw std::runtime_error("from a wakeup"); });
    scope.reset();
    wakeup.notify();
    REQUIRE(loop.until([&] { return !narrow.errors.empty(); }));
    CHECK(narrow.errors.front() == "from a wakeup");
  }
  SECTION("signal") {
    loop::SignalWatch signal(loop, SIGUSR2, [] { throw std::runtime_error("from a signal"); });
    scope.reset();
    ::raise(SIGUSR2);
    REQUIRE(loop.until([&] { return !narrow.errors.empty(); }));
    CHECK(narrow.errors.front() == "from a signal");
  }
  SECTION("something that is no std::exception") {
    Timer timer(loop, [] { throw 7; });
    timer.start(1ms);
    scope.reset();
    REQUIRE(loop.until([&] { return !narrow.errors.empty(); }));
    CHECK(narrow.errors.front() == "an exception of unknown type");
  }
  SECTION("a handle made inside a callback, the scope long gone") {
    std::unique_ptr<Timer> inner;
    Timer outer(loop, [&] {
      inner = std::make_unique<Timer>(*loop, [] { throw std::runtime_error("from the inner timer"); });
      inner->start(1ms);
    });
    outer.start(1ms);
    scope.reset();
    REQUIRE(loop.until([&] { return !narrow.errors.empty(); }));
    CHECK(narrow.errors.front() == "from the inner timer");
  }
  SECTION("fd watch") {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    {
      std::unique_ptr<FdWatch> watch;
      watch = std::make_unique<FdWatch>(*loop, fds[0], [&](FdWatch::Ready) {
        watch->want(false, false);
        throw std::runtime_error("from a watch");
      });
      watch->want(false, true);
      scope.reset();
      REQUIRE(loop.until([&] { return !narrow.errors.empty(); }));
    }
    CHECK(narrow.errors.front() == "from a watch");
    ::close(fds[0]);
    ::close(fds[1]);
  }
  SECTION("resolver") {
    loop::Resolver resolver(loop);
    const auto query = resolver.resolve(Endpoint::tcp("127.0.0.1", 1), [](loop::Resolver::Answer) {
      throw std::runtime_error("from a query");
    });
    scope.reset();
    REQUIRE(loop.until([&] { return !narrow.errors.empty(); }));
    CHECK(narrow.errors.front() == "from a query");
  }
  CHECK(narrow.errors.size() == 1);
  CHECK(loop.sink.errors.empty());
}

TEST_CASE("Exceptions of stream and listener callbacks reach the sink of the scope that made the handle") {
  TestLoop loop;
  RecordingSink narrow;
  Thrower thrower;
  const auto socket = listen_on(any_tcp());

  SECTION("listener") {
    std::optional<loop::Loop::Scope> scope(std::in_place, *loop, &narrow);
    int accepted = 0;
    loop::Listener listener(loop, *socket.duplicate(), false, [&](loop::Stream) {
      ++accepted;
      throw std::runtime_error("from the listener");
    });
    scope.reset();
    Recorder saw;
    int status = 0;
    const auto first = loop::Stream::connect(*loop, *loop::Address::literal(socket.endpoint()), saw, status);
    const auto second = loop::Stream::connect(*loop, *loop::Address::literal(socket.endpoint()), saw, status);
    // An exception must not stop it from accepting the next one.
    REQUIRE(loop.until([&] { return accepted == 2; }));
    CHECK(narrow.errors == std::vector<std::string>(2, "from the listener"));
  }
  SECTION("stream") {
    const std::string event = GENERATE("on_connected", "on_data", "on_end", "on_lost", "on_drained");
    CAPTURE(event);
    loop::Stream server, client;
    Recorder saw;
    loop::Listener listener(loop, *socket.duplicate(), false, [&](loop::Stream stream) {
      server = std::move(stream);
      server.set_observer(saw);
      server.read_start();
    });
    Recorder quiet;
    {
      loop::Loop::Scope scope(*loop, &narrow);
      int status = 0;
      loop::StreamObserver& first =
          event == "on_connected" ? static_cast<loop::StreamObserver&>(thrower) : quiet;
      client = loop::Stream::connect(*loop, *loop::Address::literal(socket.endpoint()), first, status);
    }
    REQUIRE(loop.until([&] { return server.is_open() && (quiet.connected == 1 || !narrow.errors.empty()); }));
    {
      loop::Loop::Scope scope(*loop, &narrow);
      client.set_observer(thrower);
    }
    client.read_start();
    if (event == "on_data") {
      REQUIRE(server.write("x"));
    } else if (event == "on_end") {
      server.half_close();
    } else if (event == "on_lost") {
      server.reset();
    } else if (event == "on_drained") {
      REQUIRE(client.write(std::string(16 * 1024 * 1024, 'x')));
    }
    REQUIRE(loop.until([&] { return !narrow.errors.empty(); }));
    CHECK(narrow.errors == std::vector<std::string>{"from " + event});
  }
  CHECK(loop.sink.errors.empty());
}

}  // namespace
}  // namespace probegate::test
