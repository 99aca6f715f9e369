// Poller: tells the sockets of one loop when they are ready, by epoll itself; libuv keeps timers, signals and
// wake-ups, and its own descriptor is one of those watched here (uv_backend_fd, made for embedding).
//
// Why not uv_tcp_t, which this folder would suggest: a session costs it two handles of 250 bytes and, as it
// registers anew whenever an interest changes and once more to close, 7 calls of epoll_ctl where 2 do; and
// readiness once reported is forgotten, so that pausing and resuming a reader costs another two. Handshake
// and close through the proxy came from 28 system calls to 18, an idle tunnel from 1,980 bytes to 1,540.
//
// Owns: the epoll descriptor, and the sockets that have been released, until the turn is over.
// Thread: the loop's own.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace probegate::loop {

class Poller {
 public:
  // What is watched. Made by its user, who gives it back with release(); it is deleted between two turns, so
  // that is allowed at any time, also inside on_ready().
  class Socket {
   public:
    Socket() = default;
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

   protected:
    virtual ~Socket() = default;

   private:
    friend class Poller;
    // `events` of epoll; 0 when poll_again() asked for this call. Not called after release().
    virtual void on_ready(std::uint32_t events) noexcept = 0;

    Socket* next_ = nullptr;    // in the one list it is in
    std::uint32_t coming_ = 0;  // what Poller::coming() says, once it has been asked in this turn
    bool again_ = false;
    bool released_ = false;
  };

  Poller();  // throws std::runtime_error
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // 0 or a negative libuv status. A descriptor that is closed is watched no longer, and need not be removed.
  [[nodiscard]] int add(int descriptor, std::uint32_t events, Socket& socket);
  void modify(int descriptor, std::uint32_t events, Socket& socket);
  void remove(int descriptor);

  // Events of this turn that on_ready() will bring.
  std::uint32_t coming(const Socket& socket);
  // on_ready(0) in the next turn, which then does not wait.
  void poll_again(Socket& socket);
  void release(Socket* socket) noexcept;

  // By Loop: watches its libuv; waits for anything, at most `millis` (-1: for ever); tells those that are
  // ready, and returns whether libuv is among them.
  void watch_libuv(int descriptor);
  void wait(int millis);
  [[nodiscard]] bool tell();

 private:
  // One after another gets its turn; what more is ready comes with the next wait.
  static constexpr std::size_t kPerTurn = 128;

  void sweep() noexcept;

  const int epoll_;
  std::span<const epoll_event> untold() const { return {events_.data() + told_, ready_ - told_}; }

  std::array<epoll_event, kPerTurn> events_;
  std::size_t ready_ = 0;  // of these
  std::size_t told_ = 0;
  bool marked_ = false;  // coming_ of those that are untold
  Socket* again_ = nullptr;
  Socket* released_ = nullptr;
};

}  // namespace probegate::loop
