// A probe server on a real loop, and raw sockets to talk to it.
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "loop/listen_socket.h"
#include "loop/loop.h"
#include "metrics/families.h"
#include "probe/probe_server.h"
#include "test_loop.h"

namespace probegate::probe {

using namespace std::chrono_literals;

// A client socket; reads never block.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect to the probe server");
    }
    const int yes = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);  // tests decide what arrives together
  }
  RawClient(RawClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), received_(std::move(other.received_)) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() {
    if (fd_ >= 0) ::close(fd_);
  }

  void send(std::string_view bytes) {
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  void half_close() { ::shutdown(fd_, SHUT_WR); }

  // Everything received so far.
  const std::string& received() {
    char buffer[16 * 1024];
    for (;;) {
      const ssize_t size = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
      if (size > 0) {
        received_.append(buffer, static_cast<std::size_t>(size));
      } else {
        closed_ = closed_ || size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
        reset_ = reset_ || (size < 0 && errno == ECONNRESET);
        return received_;
      }
    }
  }
  bool closed() { return received(), closed_; }
  bool was_reset() { return received(), reset_; }
  int descriptor() const { return fd_; }

 private:
  int fd_;
  std::string received_;
  bool closed_ = false;
  bool reset_ = false;
};

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  std::string field(std::string_view name) const {
    const auto at = head.find("\r\n" + std::string(name) + ": ");
    if (at == std::string::npos) return {};
    const auto begin = at + 4 + name.size();
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

// Cuts the first complete answer off `text`; false when there is none yet.
inline bool take_answer(std::string& text, Answer& answer, bool head_only = false) {
  const auto end = text.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  Answer found;
  found.head = text.substr(0, end + 2);
  found.status = std::stoi(found.head.substr(9, 3));
  const std::size_t length = head_only ? 0 : std::stoul(found.field("Content-Length"));
  if (text.size() < end + 4 + length) return false;
  found.body = text.substr(end + 4, length);
  text.erase(0, end + 4 + length);
  answer = found;
  return true;
}

// What a control loop would know beyond the snapshot.
struct KnownSource final : Source {
  void write_metrics(metrics::Exposition& out) const override {
    const metrics::DataLoopMetrics* loops[] = {data.get()};
    metrics::write_traffic(out, loops, {});
    metrics::write_control(out, control, lost_threads);
  }
  const health::History& history() const override { return past; }
  TrafficReport traffic() const override {
    const metrics::DataLoopMetrics* loops[] = {data.get()};
    ++asked;
    return {metrics::sum_up(loops), minute, refusals, connections, breaker_open};
  }
  const About& about() const override { return identity; }
  std::optional<TimePoint> next_run(std::size_t) const override { return next; }
  std::size_t lost_check_threads() const override { return lost_threads; }

  std::unique_ptr<metrics::DataLoopMetrics> data = std::make_unique<metrics::DataLoopMetrics>();
  metrics::ControlMetrics control;
  health::History past;
  metrics::LastMinute minute;
  std::deque<metrics::Refusals> refusals;
  metrics::ConnectionLimit connections;
  std::optional<bool> breaker_open;
  About identity{"chat", "chat-7f", "127.0.0.1:8000", "/etc/probegate/probegate.yaml"};
  std::optional<TimePoint> next;
  std::size_t lost_threads = 0;
  mutable int asked = 0;
};

struct ProbeFixture {
  explicit ProbeFixture(ProbeLimits limits = {})
      : socket(std::move(*loop::ListenSocket::bind(Endpoint::tcp("127.0.0.1", 0)))),
        server(loop, {health::Details::full, "1.2.3"}, snapshot(health::GateState::starting), source,
               limits) {
    source.past.set_checks(model(), 0s);
    REQUIRE(server.listen(socket));
  }
  ~ProbeFixture() { CHECK(loop.sink.errors.empty()); }

  static health::CheckPolicy policy() {
    health::CheckPolicy policy;
    policy.name = "database";
    policy.type = "postgres";
    return policy;
  }
  static health::HealthModel model() { return {{policy()}, TimePoint{}, WallTime{}}; }

  std::shared_ptr<const health::Snapshot> snapshot(health::GateState gate) {
    auto result = std::make_shared<health::Snapshot>();
    result->policies = std::make_shared<const std::vector<health::CheckPolicy>>(1, policy());
    result->checks.resize(1);
    result->gate = gate;
    result->started = now();
    if (gate == health::GateState::open) {
      result->ever_opened = true;
      result->startup = 1s;
      result->checks[0].status = health::CheckStatus::pass;
    } else {
      result->waiting_for = {0};
      result->checks[0].status = health::CheckStatus::fail;
      result->checks[0].error =
          health::CheckError{health::FailKind::connect, "refused <by> \"10.0.0.5\" & more"};
    }
    return result;
  }

  TimePoint now() { return loop->now(); }
  RawClient client() const { return RawClient(socket.endpoint().port); }
  bool wait(const std::function<bool()>& condition) { return loop.until(condition); }
  Answer answer(RawClient& from, bool head_only = false) {
    Answer result;
    std::string all;
    REQUIRE(wait([&] { return all = from.received(), take_answer(all, result, head_only); }));
    return result;
  }
  // One request on a connection of its own, closed by the server.
  Answer get(std::string_view path, std::string_view fields = "", std::string_view method = "GET") {
    RawClient one = client();
    one.send(std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" +
             std::string(fields) + "Connection: close\r\n\r\n");
    const Answer result = answer(one, method == "HEAD");
    CHECK(wait([&] { return one.closed(); }));
    CHECK_FALSE(one.was_reset());
    return result;
  }

  test::TestLoop loop;
  loop::ListenSocket socket;
  KnownSource source;
  ProbeServer server;
};

}  // namespace probegate::probe
