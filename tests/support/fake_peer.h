// FakePeer: a server on loopback port 0 (or a unix path) that plays a script to each client.
//
//   FakePeer redis(loop, {expect("PING\r\n"), send("+PONG\r\n"), close()});
//   Connection connection(loop, resolver, redis.endpoint(), ...);
//
// After its last step the peer keeps the connection open and stays silent: that is how a stall is played.
// Runs on the test's own loop, so a test is one thread and repeats exactly.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "listen_on.h"
#include "loop/listener.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "loop/timer.h"

namespace probegate::test {

struct Step {
  enum class Kind { expect, send, send_bytewise, answer, stop_reading, half_close, close, reset };
  Kind kind;
  std::string bytes = {};
  std::function<std::string(const std::string&)> make = {};
};
using Script = std::vector<Step>;

// Waits until these bytes arrive; consumes what came up to their end.
inline Step expect(std::string bytes) { return {Step::Kind::expect, std::move(bytes)}; }
inline Step send(std::string bytes) { return {Step::Kind::send, std::move(bytes)}; }
// One byte in each turn of the loop.
inline Step send_bytewise(std::string bytes) { return {Step::Kind::send_bytewise, std::move(bytes)}; }
// Sends what the function makes of the bytes that the last expect() consumed.
inline Step answer(std::function<std::string(const std::string&)> make) {
  return {Step::Kind::answer, {}, std::move(make)};
}
inline Step stop_reading() { return {Step::Kind::stop_reading}; }
inline Step half_close() { return {Step::Kind::half_close}; }
inline Step close() { return {Step::Kind::close}; }
inline Step reset() { return {Step::Kind::reset}; }

class FakePeer {
 public:
  // What is known of one client, in the order of arrival.
  struct Client {
    std::string received;
    bool ended = false;   // it sent FIN
    bool lost = false;    // it sent RST
    bool played = false;  // the script is over
  };

  FakePeer(loop::Loop& loop, Script script)
      : FakePeer(loop, [script = std::move(script)](std::size_t) { return script; }) {}
  // The script for the client of that number, from 0.
  FakePeer(loop::Loop& loop, std::function<Script(std::size_t)> script_for,
           const Endpoint& endpoint = Endpoint::tcp("127.0.0.1", 0))
      : loop_(loop),
        script_for_(std::move(script_for)),
        socket_(listen_on(endpoint)),
        listener_(loop, duplicate_of(socket_), socket_.endpoint().is_unix(),
                  [this](loop::Stream stream) { accept(std::move(stream)); }) {}

  const Endpoint& endpoint() const { return socket_.endpoint(); }
  std::uint16_t port() const { return endpoint().port; }
  std::string url(const std::string& scheme, const std::string& path = "/") const {
    return scheme + "://" + endpoint().to_string() + path;
  }

  std::size_t connections() const { return players_.size(); }
  const Client& client(std::size_t index) const { return players_.at(index)->client; }
  // Ends every connection with RST, as a killed server's kernel may.
  void reset_all() {
    for (auto& player : players_) player->stream.reset();
  }

 private:
  struct Player final : loop::StreamObserver {
    Player(loop::Loop& loop, loop::Stream s, Script steps)
        : stream(std::move(s)), script(std::move(steps)), next_byte(loop, [this] { play(); }) {
      stream.set_observer(*this);
      stream.read_start();
    }

    void on_data(std::span<const char> bytes) override {
      client.received.append(bytes.data(), bytes.size());
      unread.append(bytes.data(), bytes.size());
      play();
    }
    void on_end() override {
      client.ended = true;
      play();
    }
    void on_lost(int) override {
      client.lost = true;
      stream.close();
    }

    void play() {
      while (stream.is_open() && step < script.size()) {
        if (!perform(script[step])) return;
        ++step;
      }
      client.played = step == script.size();
    }

    // False: the step needs more time or bytes.
    bool perform(Step& now) {
      switch (now.kind) {
        case Step::Kind::expect: {
          const auto at = unread.find(now.bytes);
          if (at == std::string::npos) return false;
          consumed = unread.substr(0, at + now.bytes.size());
          unread.erase(0, consumed.size());
          return true;
        }
        case Step::Kind::send: write(now.bytes); return true;
        case Step::Kind::answer: write(now.make(consumed)); return true;
        case Step::Kind::send_bytewise:
          if (now.bytes.empty()) return true;
          write(now.bytes.substr(0, 1));
          now.bytes.erase(0, 1);
          next_byte.start(Duration::zero());
          return false;
        case Step::Kind::stop_reading: stream.read_stop(); return true;
        case Step::Kind::half_close: stream.half_close(); return true;
        case Step::Kind::close: stream.close(); return true;
        case Step::Kind::reset: stream.reset(); return true;
      }
      return true;
    }

    void write(const std::string& bytes) {
      if (!stream.write(bytes)) client.lost = true;
    }

    loop::Stream stream;
    Script script;
    std::size_t step = 0;
    std::string unread;
    std::string consumed;
    loop::Timer next_byte;
    Client client;
  };

  void accept(loop::Stream stream) {
    players_.push_back(std::make_unique<Player>(loop_, std::move(stream), script_for_(players_.size())));
    players_.back()->play();
  }

  loop::Loop& loop_;
  std::function<Script(std::size_t)> script_for_;
  loop::ListenSocket socket_;
  std::vector<std::unique_ptr<Player>> players_;
  loop::Listener listener_;
};

// A listening socket whose backlog is full: the kernel drops every SYN, so a connect to it never ends.
class BlackHole {
 public:
  BlackHole() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto address = *loop::Address::literal(Endpoint::tcp("127.0.0.1", 0));
    if (::bind(socket_, address.raw(), address.size()) != 0 || ::listen(socket_, 0) != 0) {
      throw std::runtime_error("cannot make a black hole");
    }
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&bound), &size);
    const loop::Address self(reinterpret_cast<const sockaddr*>(&bound), size);
    port_ = self.port();
    for (int& filler : fillers_) {  // a backlog of 0 still takes one or two
      filler = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      std::ignore = ::connect(filler, self.raw(), self.size());
    }
  }
  ~BlackHole() {
    for (const int filler : fillers_) ::close(filler);
    ::close(socket_);
  }
  BlackHole(const BlackHole&) = delete;
  BlackHole& operator=(const BlackHole&) = delete;

  Endpoint endpoint() const { return Endpoint::tcp("127.0.0.1", port_); }
  std::uint16_t port() const { return port_; }

 private:
  int socket_;
  std::uint16_t port_ = 0;
  int fillers_[4] = {-1, -1, -1, -1};
};

// A port of loopback where nobody listens.
inline std::uint16_t closed_port() { return listen_on(Endpoint::tcp("127.0.0.1", 0)).endpoint().port; }

}  // namespace probegate::test
