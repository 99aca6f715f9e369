// SharedLimits: the limits that hold for the whole process and not per data loop: limits.connections,
// hold.max, hold.per_second and the order of the hold, the descriptors reserved for probes, and an even
// distribution of new connections; also what all loops have seen of the backend.
//
// The loops share only atomics, used per connection and per held request, never per message. Fixed shares per
// loop would refuse clients at one loop while another has room. Metrics are not shared: each loop counts for
// itself, and the exposition adds up.
//
// New connections: all loops accept from one queue, and a loop that has kMostAhead more connections than the
// one with the fewest leaves it to the others for 2 ms. Measured over 1,000 connections a millisecond apart
// (2 cores, loaded): a bare shared queue went to the loops as 976:24 and 205:696:92:7, since the kernel wakes
// the same one first; with turns 502:498 and 249:252:247:252, with 1.1 wake-ups a connection where
// SO_REUSEPORT has 0.9. SO_REUSEPORT distributes as evenly (498:502) but by hash: it keeps feeding a blocked
// loop, lets a second process share the port unnoticed, does not support unix sockets, and leaves several
// queues to empty at the end. Thread: any data loop. Built before them, destroyed after them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "metrics/backend_watch.h"

namespace probegate::proxy {

class SharedLimits {
 public:
  // `descriptors`: how many this process may have open.
  SharedLimits(std::size_t loops, std::uint64_t descriptors);

  // The effective limit for limits.connections (0 = no limit): each connection may need a second descriptor,
  // and some descriptors are reserved for probes, checks and the drain.
  std::uint64_t connections(std::uint64_t configured) const;
  // Number of connections over the limit that are accepted at a time, to be refused with connection_limit;
  // others wait in the system's queue.
  std::uint64_t surplus() const { return surplus_; }
  std::size_t pipes() const { return pipes_; }  // that each loop may have open
  // True for a descriptor of the reserve, which must not be kept for an idle connection.
  bool is_reserve(int descriptor) const { return static_cast<std::uint64_t>(descriptor) >= ceiling_; }

  std::uint64_t open() const { return connections_.load(std::memory_order_relaxed); }
  std::uint64_t held() const { return held_.load(std::memory_order_relaxed); }

  // The name of this process in Via: "probegate-" and eight hexadecimal digits.
  const std::string& instance() const { return instance_; }

  metrics::BackendWatch& backend() { return backend_; }

 private:
  friend class LoopLimits;
  static constexpr std::uint64_t kNobody = UINT64_MAX;
  struct alignas(64) PerLoop {
    std::atomic<std::uint64_t> connections{0};
    std::atomic<std::uint64_t> oldest{kNobody};  // ticket of its request that has waited longest
    std::atomic<std::uint64_t> idle{0};          // its connections that other loops may ask it to close
    std::atomic<std::uint64_t> asked{0};         // how many it has been asked to close
    std::function<void()> wake;                  // set before the loops start
  };

  const std::string instance_;
  const std::size_t loops_;
  const std::size_t pipes_;
  const std::uint64_t ceiling_;
  const std::uint64_t surplus_;
  const std::unique_ptr<PerLoop[]> per_loop_;
  std::atomic<std::uint64_t> connections_{0};
  std::atomic<std::uint64_t> held_{0};
  std::atomic<std::uint64_t> tickets_{0};
  std::atomic<std::int64_t> next_release_ns_{0};
  std::atomic<const void*> warned_for_{nullptr};  // the configuration; never dereferenced
  metrics::BackendWatch backend_;
};

// One data loop's view of the shared limits.
class LoopLimits {
 public:
  LoopLimits(SharedLimits& all, std::size_t loop) : all_(&all), mine_(&all.per_loop_[loop]) {}

  const SharedLimits& all() const { return *all_; }
  metrics::BackendWatch& backend() { return all_->backend(); }

  std::uint64_t connection_opened();  // returns how many the whole process had before
  void connections_closed(std::uint64_t count);
  // True once for each configuration, for whichever loop asks first.
  bool is_first_front_end(const void* configuration);
  bool may_accept() const;  // no loop has notably fewer connections than this one

  // At the connection limit, asks another loop to close an idle connection. That loop is woken and closes as
  // many as it has been asked for.
  void on_asked(std::function<void()> wake) { mine_->wake = std::move(wake); }
  void idle_now(std::size_t count) { mine_->idle.store(count, std::memory_order_relaxed); }
  bool ask_for_room();  // false if there is none
  std::uint64_t take_asked();

  bool take_place(std::uint64_t most);  // false: `most` are held already, by all loops together
  void return_place();
  std::uint64_t next_ticket();
  void oldest_waits(std::uint64_t ticket);
  void nobody_waits();

  // Zero: the request with this ticket is released now, and the next one of any loop not before `pause` is
  // over. Otherwise how long to wait before asking again. The loop with the oldest request goes first; a loop
  // that does not respond is passed over.
  Duration until_release(std::uint64_t ticket, TimePoint now, Duration pause);

 private:
  SharedLimits* all_;
  SharedLimits::PerLoop* mine_;
  std::int64_t asked_ns_ = 0;  // since when our request has waited without any loop releasing one
};

}  // namespace probegate::proxy
