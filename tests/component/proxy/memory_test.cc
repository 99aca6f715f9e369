// What the data loop allocates, and what becomes of it when memory or descriptors run out.
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <utility>

#include "allocations.h"
#include "bare_environment.h"
#include "exchange.h"
#include "loop/descriptors.h"
#include "open_tunnel.h"
#include "proxy/backend_pool.h"
#include "support/fake_peer.h"

namespace {
std::atomic<int> trims{0};
}

// In place of the C library's.
extern "C" int malloc_trim(std::size_t) noexcept {
  ++trims;
  return 1;
}

namespace probegate::test {
namespace {

// Echoes what the client sends: the payload unmasked, one frame at a time, of fewer than 126 bytes.
void echo(Wire& wire) {
  wire.on_bytes = [&wire] {
    std::string bytes = wire.take(), out;
    std::size_t at = 0;
    while (bytes.size() >= at + 6 && bytes.size() >= at + 6 + (bytes[at + 1] & 0x7f)) {
      const std::size_t size = bytes[at + 1] & 0x7f;
      out += std::string{bytes[at], static_cast<char>(size)};
      for (std::size_t i = 0; i < size; ++i)
        out += static_cast<char>(bytes[at + 6 + i] ^ bytes[at + 2 + i % 4]);
      at += 6 + size;
    }
    wire.put_back(bytes.substr(at));
    wire.send(out);
  };
}

// Waits until the watched data loop has done with all that it was told; its log lines allocate too.
class Settled {
 public:
  Settled(TestLoop& loop, ProxyFixture& proxy) : loop_(loop), proxy_(proxy) {}
  bool operator()() {
    proxy_.loop().beat(++beats_, loop_->now());
    return loop_.until([&] { return proxy_.loop().answered() == beats_; });
  }

 private:
  TestLoop& loop_;
  ProxyFixture& proxy_;
  std::uint64_t beats_ = 1;  // watch_data_loop() has sent the first
};

// Sends the request until each allocation that it costs has failed once: it ends with an answer or its
// connection.
void fail_each_allocation_of(const std::string& request, TestLoop& loop, ProxyFixture& proxy,
                             Settled& settled) {
  int failed = 0;
  for (int nth = 0; nth < 400; ++nth) {
    REQUIRE(settled());
    fail_after = nth;
    {
      FakeClient client(loop, proxy.endpoint(), request);
      INFO("allocation " << nth << " failed of " << request << proxy.log());
      REQUIRE(loop.until([&] {
        std::string bytes = client.received();
        return client.gone() || take_answer(bytes).has_value();
      }));
    }
    const bool reached = fail_after.exchange(-1) < 0;
    if (!reached) break;  // there were not so many allocations
    ++failed;
  }
  CHECK(failed > 5);
  CHECK(failed < 400);
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

}  // namespace

TEST_CASE("No message allocates") {
  watch_libuv();
  const bool watched = GENERATE(false, true);  // with the timeouts that look at each message's time
  OpenTunnel tunnel([&](config::Config& c) {
    if (!watched) return;
    c.proxy.websocket.idle_timeout = 5s;
    c.proxy.websocket.ping_interval = 5s;
    c.proxy.websocket.max_message = 1000;
  });
  echo(tunnel.server());
  watch_data_loop(tunnel.loop, tunnel.proxy);
  const std::string message = text(From::client, std::string(64, 'm'));
  const std::size_t answer = message.size() - 4;
  const auto round = [&](int count) {
    tunnel.client.take();
    for (int i = 0; i < count; ++i) {
      tunnel.client.send(message);
      if (i % 16 == 15 && !tunnel.loop.until([&] { return tunnel.client.received().size() >= answer * 16; }))
        return false;
      if (i % 16 == 15) tunnel.client.take();
    }
    return true;
  };
  REQUIRE(round(160));
  const auto before = allocations.load();
  REQUIRE(round(10'000));
  CHECK(allocations.load() == before);
  CHECK(tunnel.proxy.metrics().tunnel_messages[metrics::Direction::client_to_backend].value() == 10'160);
}

TEST_CASE("Without any memory sessions end, and the data loop goes on") {
  TestLoop loop;
  LiveBackend backend(loop);
  backend.on_connection = serve;
  ProxyFixture proxy(loop, backend.endpoint());
  watch_data_loop(loop, proxy);
  std::vector<std::unique_ptr<FakeClient>> kept;
  for (int i = 0; i < 20; ++i) {
    kept.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint(), kGet));
    REQUIRE(next_answer(loop, *kept.back()).status == 200);
  }
  fail_all = true;
  for (const auto& client : kept) client->send(kGet);
  const bool all_ended = loop.until([&] {
    return std::all_of(kept.begin(), kept.end(), [](const auto& client) { return client->gone(); });
  });
  fail_all = false;
  CHECK(all_ended);
  FakeClient again(loop, proxy.endpoint(), kGet);
  CHECK(next_answer(loop, again).status == 200);
}

TEST_CASE("An exception inside a session ends that session alone") {
  TestLoop loop;
  LiveBackend backend(loop);
  backend.on_connection = [](Wire& wire) {
    wire.on_bytes = [&wire] {
      if (wire.received().find("\r\n\r\n") == std::string::npos) return;
      const bool upgrade = wire.received().find("Upgrade") != std::string::npos;
      wire.take();
      wire.send(upgrade ? kSwitching + text(From::backend, "hi") + close_frame(From::backend, 1000) : kOk);
    };
  };
  ProxyFixture proxy(loop, backend.endpoint(), [](config::Config& c) { c.log.level = LogLevel::error; });
  watch_data_loop(loop, proxy);
  const std::string post = "POST / HTTP/1.1\r\nHost: example\r\nContent-Length: 3\r\n\r\nabc";

  Settled settled(loop, proxy);
  for (const std::string& request : {kGet, post, kUpgrade, kGet + kGet}) {
    fail_each_allocation_of(request, loop, proxy, settled);
    FakeClient after(loop, proxy.endpoint(), kGet);
    CHECK(next_answer(loop, after).status == 200);
  }
  for (std::size_t i = 0; i < backend.connections(); ++i) backend.wire(i).close();
  CHECK(loop.until([&] { return proxy.metrics().tunnels.value() == 0; }));
  CHECK(proxy.metrics().held.value() == 0);
  CHECK(loop.until([&] { return !proxy.log_lines("a session ended by an internal error").empty(); }));
  CHECK(proxy.ended() == 0);
}

TEST_CASE("A refusal at a closed gate that finds no memory ends its session alone") {
  TestLoop loop;
  LiveBackend backend(loop);
  backend.on_connection = serve;
  ProxyFixture proxy(loop, backend.endpoint());  // its lines of refusals are written out of the same memory
  watch_data_loop(loop, proxy);
  Settled settled(loop, proxy);
  // A name that needs every kind of escaping.
  proxy.publish(closed_gate({"database", "\"caf\xc3\xa9\"\n\xff" + std::string(300, 'n')}));

  for (const std::string& request : {kGet, kUpgrade}) {
    fail_each_allocation_of(request, loop, proxy, settled);
    FakeClient after(loop, proxy.endpoint(), request);
    const Answer answer = next_answer(loop, after);
    CHECK(answer.status == 503);
    CHECK(answer.get("probegate-reason") == "gate_closed");
  }

  fail_all = true;
  std::vector<std::unique_ptr<FakeClient>> many;
  for (int i = 0; i < 20; ++i) many.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint(), kGet));
  const bool all_ended = loop.until([&] {
    return std::all_of(many.begin(), many.end(), [](const auto& client) { return client->gone(); });
  });
  fail_all = false;
  CHECK(all_ended);
  proxy.publish(open_gate());
  REQUIRE(settled());
  FakeClient served(loop, proxy.endpoint(), kGet);
  CHECK(next_answer(loop, served).status == 200);
  CHECK(proxy.ended() == 0);
}

TEST_CASE(
    "Without descriptors open sessions go on, the loop does not spin, and whoever waits is served later") {
  TestLoop loop;
  LiveBackend backend(loop);
  backend.on_connection = serve;
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient open(loop, proxy.endpoint());
  // More than once: without descriptors UBSan cannot look at a type that it has not met before.
  for (int i = 0; i < 3; ++i) {
    open.send(kGet);
    REQUIRE(next_answer(loop, open).status == 200);
  }

  // Connecting needs no new descriptor, accepting does.
  const auto address = *loop::Address::literal(proxy.endpoint());
  const int waiting = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int next = ::dup(waiting);
  ::close(next);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
  const bool limited = ::setrlimit(RLIMIT_NOFILE, &none) == 0;
  const bool connected = ::connect(waiting, address.raw(), address.size()) == 0;
  const double cpu_before = cpu_seconds();
  loop.run_for(500ms);
  const double cpu = cpu_seconds() - cpu_before;
  open.send(kGet);
  const bool answered = loop.until([&] { return open.received().ends_with("ok"); });
  ::setrlimit(RLIMIT_NOFILE, &before);
  REQUIRE(limited);
  REQUIRE(connected);
  CHECK(cpu < 0.25);
  CHECK(answered);

  REQUIRE(::send(waiting, kGet.data(), kGet.size(), 0) == static_cast<ssize_t>(kGet.size()));
  std::string answer;
  CHECK(loop.until([&] {
    char bytes[4096];
    const auto size = ::recv(waiting, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size > 0) answer.append(bytes, static_cast<std::size_t>(size));
    return answer.ends_with("ok");
  }));
  CHECK(answer.starts_with("HTTP/1.1 200"));
  ::close(waiting);
}

TEST_CASE("A connect that finds no descriptor ends idle connections, and is made on one of theirs") {
  BareEnvironment bare(Endpoint::tcp("127.0.0.1", 1), 2'000);
  LiveBackend backend(bare.loop);
  bare.environment.config = BareEnvironment::configuration(backend.endpoint());
  proxy::BackendPool pool(bare.environment);
  loop::Stream stream;
  const auto connect = [&] {
    return pool.connect([&](loop::Stream connected) { stream = std::move(connected); },
                        [](const proxy::BackendPool::Failure&) {});
  };
  auto connecting = connect();
  REQUIRE(bare.loop.until([&] { return stream.is_open(); }));
  connecting.reset();
  Wire& first = backend.await();
  // Without descriptors UBSan cannot look at a type that it has not met before.
  REQUIRE(stream.write("met"));
  REQUIRE(bare.loop.until([&] { return first.received() == "met"; }));
  const int idle = stream.descriptor();
  pool.give_back(std::exchange(stream, {}), pool.new_lease(), {});

  std::vector<int> below;  // what is free there would be taken instead
  int next;
  while ((next = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) < idle) below.push_back(next);
  ::close(next);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
  const bool limited = ::setrlimit(RLIMIT_NOFILE, &none) == 0;
  connecting = connect();
  const bool connected = bare.loop.until([&] { return stream.is_open(); }, 1s);
  ::setrlimit(RLIMIT_NOFILE, &before);
  for (const int fd : below) ::close(fd);
  REQUIRE(limited);
  CHECK(connected);
  CHECK(bare.loop.until([&] { return first.gone(); }, 2s));
}

TEST_CASE("The memory of a burst is given back once it is over, and that of a few connections is not") {
  loop::raise_descriptor_limit();
  TestLoop loop;
  ProxyFixture proxy(loop, Endpoint::tcp("127.0.0.1", 1));
  const int before = trims.load();
  const auto come_and_go = [&](std::size_t count) {
    std::vector<std::unique_ptr<FakeClient>> clients;
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint()));
    }
    REQUIRE(loop.until([&] { return proxy.connections() == count; }));
    clients.clear();
    REQUIRE(loop.until([&] { return proxy.connections() == 0; }));
    for (std::uint64_t beat : {count, count + 1}) {  // the second one in a turn behind that of the last end
      proxy.loop().beat(beat, loop->now());
      REQUIRE(loop.until([&] { return proxy.loop().answered() == beat; }));
    }
  };
  come_and_go(100);
  CHECK(trims.load() == before);
  come_and_go(1100);
  CHECK(trims.load() == before + 1);
}

}  // namespace probegate::test
