#include "sidecar/listen_check.h"

namespace probegate::sidecar {
namespace {

using namespace std::chrono_literals;

constexpr Duration kDeadline = 5s;
constexpr Duration kPause = 50ms;
constexpr std::string_view kRequest =
    "GET /health/live HTTP/1.1\r\nHost: probegate\r\nConnection: close\r\n\r\n";
constexpr std::string_view kExpected = "HTTP/1.1 ";

Endpoint loopback(Endpoint endpoint) {
  if (endpoint.host == "0.0.0.0" || endpoint.host == "*") endpoint.host = "127.0.0.1";
  if (endpoint.host == "localhost") endpoint.host = "127.0.0.1";
  if (endpoint.host == "::") endpoint.host = "::1";
  return endpoint;
}

}  // namespace

ListenCheck::ListenCheck(loop::Loop& loop, const Endpoint& probe_port, std::function<void(std::string)> done)
    : loop_(loop),
      address_(loop::Address::literal(loopback(probe_port))),
      done_(std::move(done)),
      deadline_(loop, [this] { finish(problem_); }),
      again_(loop, [this] { ask(); }) {
  deadline_.start(kDeadline);
  ask();
}

void ListenCheck::ask() {
  int status = UV_EINVAL;
  answer_.clear();
  if (address_) stream_ = loop::Stream::connect(loop_, *address_, *this, status);
  if (status < 0) on_connected(status);
}

void ListenCheck::on_connected(int status) {
  if (status < 0) return finish(loop::error_text(status));
  if (!stream_.write(kRequest)) return ask_again();
  stream_.read_start();
}

// The probe port closes connections while it has too many.
void ListenCheck::ask_again() {
  problem_ = "it closes connections without an answer";
  stream_.close();
  again_.start(kPause);
}

void ListenCheck::on_data(std::span<const char> bytes) {
  answer_.append(bytes.data(), bytes.size());
  if (answer_.size() < kExpected.size()) return;
  finish(answer_.starts_with(kExpected) ? "" : "another program answers on this address");
}

void ListenCheck::finish(std::string problem) {
  if (!done_) return;
  deadline_.stop();
  again_.stop();
  stream_.close();
  const auto done = std::exchange(done_, {});
  done(std::move(problem));
}

}  // namespace probegate::sidecar
