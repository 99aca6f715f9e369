// Poller: notifies the sockets of one loop with epoll. libuv handles timers, signals and wake-ups; its own
// descriptor (uv_backend_fd, intended for embedding) is watched here too.
//
// Why not uv_tcp_t: it needs two handles of 250 bytes per session and 7 calls of epoll_ctl where 2 are
// enough, because it registers again on every change and on close. It also forgets reported readiness, so
// pausing and resuming a reader costs two more. Without it, handshake and close through the proxy take 18
// system calls instead of 28, and an idle tunnel 1,540 bytes instead of 1,980.
//
// Owns: the epoll descriptor, and released sockets until the end of the iteration. Thread: the loop's.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace probegate::loop {

class Poller {
 public:
  // A watched socket. Created by its user and returned with release(), which is allowed at any time, also
  // inside on_ready(), because it is deleted between two iterations.
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

    Socket* next_ = nullptr;    // in its current list
    std::uint32_t coming_ = 0;  // cached result of Poller::coming() for this iteration
    bool again_ = false;
    bool released_ = false;
  };

  Poller();  // throws std::runtime_error
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // 0 or a negative libuv status. A closed descriptor is no longer watched and need not be removed.
  [[nodiscard]] int add(int descriptor, std::uint32_t events, Socket& socket);
  void modify(int descriptor, std::uint32_t events, Socket& socket);
  void remove(int descriptor);

  // Events of this iteration that on_ready() will report.
  std::uint32_t coming(const Socket& socket);
  // Calls on_ready(0) in the next iteration, which then does not wait.
  void poll_again(Socket& socket);
  void release(Socket* socket) noexcept;

  // For Loop: watches libuv; waits for events, at most `millis` (-1: forever); notifies the ready sockets and
  // returns whether libuv is ready.
  void watch_libuv(int descriptor);
  void wait(int millis);
  [[nodiscard]] bool tell();

 private:
  // Events per wait; further events follow with the next wait.
  static constexpr std::size_t kPerTurn = 128;

  void sweep() noexcept;

  const int epoll_;
  std::span<const epoll_event> untold() const { return {events_.data() + told_, ready_ - told_}; }

  std::array<epoll_event, kPerTurn> events_;
  std::size_t ready_ = 0;  // number of events
  std::size_t told_ = 0;
  bool marked_ = false;  // coming_ is set for sockets not yet notified
  Socket* again_ = nullptr;
  Socket* released_ = nullptr;
};

}  // namespace probegate::loop
