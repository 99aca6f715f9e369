// Stream: one TCP or unix connection on a loop.
//
// Owns: the descriptor and, only while the peer is slow, the bytes not yet accepted by the kernel. Invariant:
// write() tries the kernel first and copies only the rest; nothing is allocated per call if the peer is fast
// enough. Back-pressure is the caller's duty: stop reading the other side while busy() is true. The queue is
// limited by what callers write before they test busy(): one read buffer and a head. May be destroyed at any
// time, also inside its own callbacks.
//
// Readiness is edge-triggered (poller.h) and stored here: a socket is registered once, and pausing, resuming,
// short writes and the end need no additional system call. A read that did not fill the buffer has emptied
// the socket; later data causes a new edge (epoll(7)).
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

// The state of the peer, known before reading.
enum class HangUp : std::uint8_t {
  end,     // it sends no more data (FIN) but may still read
  closed,  // it does not read either: the peer closed its unix socket
  lost,    // the connection is lost (RST)
};

class StreamObserver {
 public:
  // A connect() ended; `status` 0 or a negative libuv error. After an error, only destroy the stream.
  virtual void on_connected(int status) { (void)status; }
  // Bytes arrived; valid during the call only.
  virtual void on_data(std::span<const char> bytes) = 0;
  // Called for Wanted::moved: the socket may have bytes. False: deliver them by on_data instead.
  virtual bool on_movable() { return false; }
  // The peer will send no more (FIN). Writing still works.
  virtual void on_end() = 0;
  // The connection is lost (negative libuv error); no more data is received or sent.
  virtual void on_lost(int status) = 0;
  // The peer has hung up while reading is paused; called again if the state gets worse. If reading resumes,
  // earlier data is still delivered, followed by the end or the loss.
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

  // Starts to connect; on_connected follows in a later iteration. The error is for immediate
  // failures (no descriptors).
  static Stream connect(Loop& loop, const Address& address, StreamObserver& observer, int& status);

  // Takes ownership of a connected descriptor; if the loop cannot watch it, it is closed and the stream is
  // not open. `peer` is kept until it is first requested.
  static Stream adopt(Loop& loop, int descriptor, bool is_unix, const Address* peer = nullptr);

  bool is_open() const { return block_ != nullptr; }
  // Also moves the stream to the current scope (loop.h), so that exceptions go to the sink of
  // the new observer.
  void set_observer(StreamObserver& observer);
  void close() { block_.reset(); }  // at once; bytes still queued are dropped
  void reset();                     // at once, with RST, so that the peer does not see a clean end

  void read_start();
  void read_stop();
  bool reading() const;

  // False if the connection is broken; on_lost is then not called, and the caller must handle it.
  [[nodiscard]] bool write(std::string_view bytes) { return write(bytes, {}); }
  [[nodiscard]] bool write(std::string_view first, std::string_view second);
  // How incoming data is delivered: as bytes, offered for move_to() first, or not at all except for the end,
  // which is then reported without a read.
  enum class Wanted : std::uint8_t { bytes, moved, end };
  void want(Wanted wanted);
  struct Moved {
    bool possible = false;  // false: read and write instead
    bool broken = false;    // `to` is broken, as when write() is false; the bytes are lost
    std::size_t bytes = 0;
  };
  // Moves up to `most` bytes from this socket to `to` without copying them. Bytes that `to` does not accept
  // are queued there as if written. Not possible if no pipe is free, if `to` already has queued data, or if
  // this connection has something else to report, such as its end.
  [[nodiscard]] Moved move_to(Stream& to, std::uint64_t most, Pipes& pipes);

  bool busy() const;            // bytes are queued
  std::size_t queued() const;   // how many
  std::size_t untaken() const;  // queued() and what the peer's system has not acknowledged; a system call
  void half_close();            // FIN after what is queued

  void keep_alive();  // keep_alive.h; no effect on a unix socket. Four system calls

  // From now on the system records when bytes arrive; no effect on a unix socket. A system call.
  void note_arrivals();
  // When the newest bytes of the last read arrived, if recorded.
  std::optional<WallTime> arrived() const;
  // True if this iteration knows of no unread bytes and no end of stream.
  bool quiet() const;
  bool readable() const;  // bytes or the end of stream are pending; a system call

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
