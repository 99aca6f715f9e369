// Two connected Streams of one loop, over TCP or a unix socket, and an observer that records.
#pragma once

#include <unistd.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include "loop/listener.h"
#include "loop/stream.h"
#include "support/listen_on.h"
#include "support/test_loop.h"

namespace probegate::test {

// Counts every event; `hook` runs inside each of them, with its name, after counting.
struct Recorder final : loop::StreamObserver {
  std::string received;
  int connected = 0, ends = 0, losses = 0, drains = 0, hang_ups = 0;
  loop::HangUp hang_up{};  // the last one
  int status = 1;          // of the last connect or loss
  std::function<void(const std::string& event)> hook = [](const std::string&) {};

  void on_connected(int s) override {
    ++connected;
    status = s;
    call("connected");
  }
  void on_data(std::span<const char> bytes) override {
    received.append(bytes.data(), bytes.size());
    call("data");
  }
  void on_end() override {
    ++ends;
    call("end");
  }
  void on_lost(int s) override {
    ++losses;
    status = s;
    call("lost");
  }
  void on_hang_up(loop::HangUp what) override {
    ++hang_ups;
    hang_up = what;
    call("hang up");
  }
  void on_drained() override {
    ++drains;
    call("drained");
  }

 private:
  void call(const std::string& event) {
    const auto keep = hook;  // the hook may replace itself
    keep(event);
  }
};

inline Endpoint any_tcp() { return Endpoint::tcp("127.0.0.1", 0); }
inline Endpoint any_unix(const std::string& name = "stream") {
  return Endpoint::unix_socket("/tmp/probegate-" + name + "-" + std::to_string(::getpid()) + ".sock");
}

class StreamPair {
 public:
  StreamPair(TestLoop& loop, const Endpoint& endpoint)
      : socket_(listen_on(endpoint)),
        listener_(loop, *socket_.duplicate(), endpoint.is_unix(), [this](loop::Stream s) {
          server = std::move(s);
          server.set_observer(server_saw);
        }) {
    int status = 0;
    client = loop::Stream::connect(*loop, *loop::Address::literal(socket_.endpoint()), client_saw, status);
    if (status != 0 || !loop.until([&] { return client_saw.connected == 1 && server.is_open(); })) {
      throw std::runtime_error("the pair does not connect");
    }
  }

  Recorder client_saw, server_saw;
  loop::Stream client, server;

 private:
  loop::ListenSocket socket_;
  loop::Listener listener_;
};

}  // namespace probegate::test
