// Stream: one TCP or unix connection on a loop.
//
// Owns: the descriptor and, only while the peer is slow, the bytes not yet accepted by the kernel.
// Invariant: write() tries the kernel first and copies only what it did not take; nothing is allocated per
// call when the peer keeps up. Back-pressure is the caller's duty: stop reading the other side while busy()
// is true. The bytes queued are bounded by what callers write before they look at busy(): one read buffer and
// a head. May be destroyed at any time, also inside its own callbacks.
//
// Readiness is edge-triggered (poller.h) and remembered here: a socket is registered once, and neither
// pausing nor resuming, neither short writes nor the end costs a system call of its own. A read that did not
// fill the buffer has emptied the socket; what comes later brings a new edge (epoll(7)).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "loop/address.h"
#include "loop/loop.h"
#include "loop/pipes.h"

namespace probegate::loop {

// What is known of a peer before it is read.
enum class HangUp : std::uint8_t {
  end,     // it sends no more (FIN), and may still read
  closed,  // it does not read either: the peer of a unix socket has closed it
  lost,    // the connection broke (RST)
};

class StreamObserver {
 public:
  // A connect() ended; `status` 0 or a negative libuv error. After an error only destruction is left.
  virtual void on_connected(int status) { (void)status; }
  // Bytes arrived; valid during the call only.
  virtual void on_data(std::span<const char> bytes) = 0;
  // Asked for by Wanted::moved: bytes may lie in the socket. False: they are to come by on_data after all.
  virtual bool on_movable() { return false; }
  // The peer will send no more (FIN). Writing still works.
  virtual void on_end() = 0;
  // The connection broke (negative libuv error); nothing more will come or go.
  virtual void on_lost(int status) = 0;
  // The peer has hung up while nobody reads from it; told again when it turns out worse. What lies before it
  // comes all the same where reading goes on, and so does its end or its loss.
  virtual void on_hang_up(HangUp what) { (void)what; }
  // Everything queued has been handed to the kernel: busy() is false again.
  virtual void on_drained() {}

 protected:
  ~StreamObserver() = default;
};

class Stream {
 public:
  Stream() = default;  // not open
  Stream(Stream&& other) noexcept { *this = std::move(other); }
  Stream& operator=(Stream&& other) noexcept;
  ~Stream() = default;

  // Starts to connect; on_connected comes in a later turn. The error is for what fails at once (no
  // descriptors).
  static Stream connect(Loop& loop, const Address& address, StreamObserver& observer, int& status);

  // Takes over a connected descriptor; not open if the loop cannot take it, which then closes it. `peer` is
  // kept for the first who asks for it.
  static Stream adopt(Loop& loop, int descriptor, bool is_unix, const Address* peer = nullptr);

  bool is_open() const { return block_ != nullptr; }
  // Also hands the stream over to the scope that is open now (loop.h): its exceptions belong to the new
  // observer.
  void set_observer(StreamObserver& observer);
  void close() { block_.reset(); }  // at once; bytes still queued are dropped
  void reset();                     // at once, with RST: the peer must not take the end for a clean one

  void read_start();
  void read_stop();
  bool reading() const;

  // False when the connection is known to be broken; on_lost is then not called, the caller acts.
  [[nodiscard]] bool write(std::string_view bytes) { return write(bytes, {}); }
  [[nodiscard]] bool write(std::string_view first, std::string_view second);
  // How the observer wants what comes: as bytes, first offered for move_to(), or of no interest but for its
  // end, which is then told without a read.
  enum class Wanted : std::uint8_t { bytes, moved, end };
  void want(Wanted wanted);
  struct Moved {
    bool possible = false;  // false: read and write instead
    bool broken = false;    // as when write() to `to` is false; the bytes are lost
    std::size_t bytes = 0;
  };
  // Brings up to `most` bytes that lie in this socket to `to` without copying them. What that does not take
  // is queued there as if written. Not possible when no pipe is free, when something is queued there already,
  // and when this connection has something else to tell, its end for one.
  [[nodiscard]] Moved move_to(Stream& to, std::uint64_t most, Pipes& pipes);

  bool busy() const;            // bytes are queued
  std::size_t queued() const;   // how many
  std::size_t untaken() const;  // those, and what the peer's system has not confirmed; a system call
  void half_close();            // FIN after what is queued

  void keep_alive();  // keep_alive.h; nothing to do for a unix socket. Four system calls

  // From now on the system notes when bytes arrive; not where it cannot, as on a unix socket. A system call.
  void note_arrivals();
  // When the newest bytes of the last read arrived, if that is noted.
  std::optional<WallTime> arrived() const;
  // Nothing has come that is not read, as far as this turn knows: neither bytes nor an end.
  bool quiet() const;
  bool readable() const;  // bytes, or the peer's end, lie in the socket; a system call

  Address peer();
  int descriptor() const;

 private:
  struct Pending;
  class Block;
  struct Close {
    void operator()(Block* block) const noexcept;
  };
  using Handle = std::unique_ptr<Block, Close>;

  static Handle open(Loop& loop, int descriptor, bool is_unix, Stream* owner, StreamObserver* observer);

  Handle block_;
};

}  // namespace probegate::loop
