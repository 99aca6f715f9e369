// Wire: one live connection in a test's hands, at either end of the proxy. FakeClient connects to the proxy;
// LiveBackend accepts from it and is told what to do as the test goes on, where FakePeer's script would be in
// the way. All on the test's own loop.
#pragma once

#include <sys/socket.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "loop/address.h"
#include "loop/listener.h"
#include "loop/stream.h"
#include "loop/timer.h"
#include "support/listen_on.h"
#include "support/test_loop.h"

namespace probegate::test {

class Wire : private loop::StreamObserver {
 public:
  // An accepted connection.
  Wire(loop::Loop& loop, loop::Stream stream) : loop_(loop), stream_(std::move(stream)) { begin(); }

  virtual ~Wire() = default;

  const std::string& received() const { return received_; }
  std::string take() { return std::exchange(received_, {}); }
  void put_back(const std::string& bytes) { received_.insert(0, bytes); }
  bool ended() const { return ended_; }  // it sent FIN
  bool lost() const { return lost_; }    // it sent RST
  bool gone() const { return ended_ || lost_; }
  bool sent() const { return bytewise_.empty() && !stream_.busy(); }  // the kernel has everything
  bool open() const { return stream_.is_open(); }
  std::size_t queued() const { return stream_.queued(); }

  void send(std::string_view bytes) {
    if (stream_.is_open() && !stream_.write(bytes)) lost_ = true;
  }
  // One byte in each turn of the loop.
  void send_bytewise(std::string bytes) {
    bytewise_ = std::move(bytes);
    next_byte_ = std::make_unique<loop::Timer>(loop_, [this] {
      if (bytewise_.empty()) return;
      send(bytewise_.substr(0, 1));
      bytewise_.erase(0, 1);
      next_byte_->start(Duration::zero());
    });
    next_byte_->start(Duration::zero());
  }
  // From now on the kernel takes only about `buffer` bytes for us.
  void stop_reading(int buffer = 32 * 1024) {
    ::setsockopt(stream_.descriptor(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    stream_.read_stop();
  }
  void read_on() { stream_.read_start(); }
  void half_close() {
    if (stream_.is_open()) stream_.half_close();  // it may have ended meanwhile
  }
  void reset() { stream_.reset(); }
  void close() { stream_.close(); }

  std::function<void()> on_bytes = [] {};  // after each arrival

 protected:
  explicit Wire(loop::Loop& loop) : loop_(loop) {}
  void connect(const Endpoint& to) {
    int status = 0;
    stream_ = loop::Stream::connect(loop_, *loop::Address::literal(to), *this, status);
    if (status < 0) throw std::runtime_error("the client cannot connect: " + loop::error_text(status));
  }
  bool connected() const { return connected_; }

 private:
  void begin() {
    stream_.set_observer(*this);
    stream_.read_start();
    connected_ = true;
  }
  void on_connected(int status) override {
    if (status < 0) {
      lost_ = true;
      stream_.close();
    } else {
      begin();
    }
  }
  void on_data(std::span<const char> bytes) override {
    received_.append(bytes.data(), bytes.size());
    on_bytes();
  }
  void on_end() override { ended_ = true; }
  void on_lost(int) override {
    lost_ = true;
    stream_.close();
  }

  loop::Loop& loop_;
  loop::Stream stream_;
  std::string received_;
  std::string bytewise_;
  std::unique_ptr<loop::Timer> next_byte_;
  bool connected_ = false;
  bool ended_ = false;
  bool lost_ = false;
};

class FakeClient final : public Wire {
 public:
  FakeClient(TestLoop& loop, const Endpoint& to) : Wire(*loop) {
    connect(to);
    if (!loop.until([this] { return connected() || lost(); })) throw std::runtime_error("no connection");
  }
  FakeClient(TestLoop& loop, const Endpoint& to, std::string_view bytes) : FakeClient(loop, to) {
    send(bytes);
  }
};

class LiveBackend {
 public:
  explicit LiveBackend(TestLoop& loop, const Endpoint& endpoint = Endpoint::tcp("127.0.0.1", 0))
      : loop_(loop),
        socket_(listen_on(endpoint)),
        listener_(*loop, duplicate_of(socket_), endpoint.is_unix(), [this](loop::Stream s) {
          wires_.push_back(std::make_unique<Wire>(*loop_, std::move(s)));
          on_connection(*wires_.back());
        }) {}

  const Endpoint& endpoint() const { return socket_.endpoint(); }
  std::size_t connections() const { return wires_.size(); }
  Wire& wire(std::size_t index) { return *wires_.at(index); }
  // The connection of that number, once it is there.
  Wire& await(std::size_t index = 0) {
    if (!loop_.until([&] { return wires_.size() > index; }))
      throw std::runtime_error("nobody connects to the backend");
    return *wires_[index];
  }
  // The same, once the head of a request is there.
  Wire& await_request(std::size_t index = 0) {
    Wire& wire = await(index);
    if (!loop_.until([&] { return wire.received().find("\r\n\r\n") != std::string::npos; }))
      throw std::runtime_error("no request comes to the backend");
    return wire;
  }
  std::function<void(Wire&)> on_connection = [](Wire&) {};

 private:
  TestLoop& loop_;
  loop::ListenSocket socket_;
  std::vector<std::unique_ptr<Wire>> wires_;
  loop::Listener listener_;
};

}  // namespace probegate::test
