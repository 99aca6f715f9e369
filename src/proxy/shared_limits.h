// SharedLimits: what is promised for the whole process and not for each data loop: limits.connections,
// hold.max, hold.per_second and the order of the hold, descriptors that traffic leaves to probes, and an even
// share of new connections; and what they all see of the backend.
//
// The loops share atomics and nothing else, touched per connection and per held request, never per message.
// Fixed shares per loop would refuse clients at one loop while another has room. Metrics need none of this:
// each loop counts for itself, and the exposition adds up.
//
// New connections: all loops accept from one queue, and a loop that has kMostAhead more connections than the
// one with the fewest leaves it to the others for 2 ms. Measured over 1,000 connections a millisecond apart
// (2 cores, loaded): a bare shared queue went to the loops as 976:24 and 205:696:92:7, since the kernel wakes
// the same one first; with turns 502:498 and 249:252:247:252, with 1.1 wake-ups a connection where
// SO_REUSEPORT has 0.9. That spreads as evenly (498:502) but by hash: it goes on feeding a loop that is
// stuck, lets a second process take the port unnoticed, knows no unix sockets, and its queues are as many to
// empty at the end. Thread: any data loop. Built before them, destroyed after them.
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

  // What of limits.connections (0 = no limit) can be kept: each connection may need a second descriptor, and
  // some stay for probes, checks and the drain.
  std::uint64_t connections(std::uint64_t configured) const;
  // Connections over the limit that are accepted at a time to be told so (connection_limit); others wait in
  // the system's queue until these have been.
  std::uint64_t surplus() const { return surplus_; }
  std::size_t pipes() const { return pipes_; }  // that each loop may have open
  // Nothing may be kept open under this number only because it might be of use.
  bool is_reserve(int descriptor) const { return static_cast<std::uint64_t>(descriptor) >= ceiling_; }

  std::uint64_t open() const { return connections_.load(std::memory_order_relaxed); }
  std::uint64_t held() const { return held_.load(std::memory_order_relaxed); }

  // This process's name among those that a request passes: "probegate-" and eight hexadecimal digits.
  const std::string& instance() const { return instance_; }

  metrics::BackendWatch& backend() { return backend_; }

 private:
  friend class LoopLimits;
  static constexpr std::uint64_t kNobody = UINT64_MAX;
  struct alignas(64) PerLoop {
    std::atomic<std::uint64_t> connections{0};
    std::atomic<std::uint64_t> oldest{kNobody};  // ticket of the request that waits longest there
    std::atomic<std::uint64_t> idle{0};          // connections there that others may ask to end
    std::atomic<std::uint64_t> asked{0};         // of which that many have been
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
  std::atomic<const void*> warned_for_{nullptr};  // the configuration; never looked into
  metrics::BackendWatch backend_;
};

// One data loop's view of the shared limits.
class LoopLimits {
 public:
  LoopLimits(SharedLimits& all, std::size_t loop) : all_(&all), mine_(&all.per_loop_[loop]) {}

  const SharedLimits& all() const { return *all_; }
  metrics::BackendWatch& backend() { return all_->backend(); }

  std::uint64_t connection_opened();  // how many the whole process had before
  void connections_closed(std::uint64_t count);
  // True once for each configuration, for whichever loop asks first.
  bool is_first_front_end(const void* configuration);
  bool may_accept() const;  // no loop has notably fewer connections than this one

  // At the limit of connections an idle one at another loop may make room for one here. That loop is woken,
  // and ends as many as it has been asked for.
  void on_asked(std::function<void()> wake) { mine_->wake = std::move(wake); }
  void idle_now(std::size_t count) { mine_->idle.store(count, std::memory_order_relaxed); }
  bool ask_for_room();  // false: there are none
  std::uint64_t take_asked();

  bool take_place(std::uint64_t most);  // false: `most` are held already, by all loops together
  void return_place();
  std::uint64_t next_ticket();
  void oldest_waits(std::uint64_t ticket);
  void nobody_waits();

  // Zero: the request with this ticket is released now, and the next one anywhere not before `pause` is over.
  // Otherwise how long to wait before asking again. The loop whose request is the oldest goes first; one that
  // does not answer is passed over.
  Duration until_release(std::uint64_t ticket, TimePoint now, Duration pause);

 private:
  SharedLimits* all_;
  SharedLimits::PerLoop* mine_;
  std::int64_t asked_ns_ = 0;  // since when a request of ours has waited for its turn, and nobody has had one
};

}  // namespace probegate::proxy
