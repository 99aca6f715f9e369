// Pipes: transfer payload between sockets without copying it into this process (splice(2)).
//
// Owns: pipes, opened on demand, up to a maximum. Invariant: a pipe is lent only while it contains bytes, so
// one pipe serves any number of connections with fast peers, and each connection with a slow peer keeps one.
// One unused pipe stays open; a pipe that is returned with bytes in it, because its connection ended, is
// closed and the bytes are dropped. Thread: the loop's. Must outlive the lent pipes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace probegate::loop {

class Pipes {
 public:
  // The capacity of a pipe. The kernel counts network buffers, one slot per 4 KiB, so less may fit.
  static constexpr std::size_t kSize = 256 * 1024;

  class Pipe {
   public:
    Pipe(Pipe&& other) noexcept
        : home_(std::exchange(other.home_, nullptr)), ends_(other.ends_), held_(other.held_) {}
    Pipe& operator=(Pipe&&) = delete;
    ~Pipe() {
      if (home_ != nullptr) home_->take_back(*this);
    }

    std::size_t held() const { return held_; }
    // Like recv(), at most kSize: the number of bytes, 0 at the end of the stream, or -errno.
    long fill(int socket, std::uint64_t most);
    // Writes as much as the socket accepts: 0 or -errno; EAGAIN is not an error. held() is the rest.
    [[nodiscard]] int empty(int socket);

   private:
    friend class Pipes;
    struct Ends {
      int out = -1;
      int in = -1;
    };
    Pipe(Pipes& home, Ends ends) : home_(&home), ends_(ends) {}

    Pipes* home_;
    Ends ends_;
    std::size_t held_ = 0;
  };

  explicit Pipes(std::size_t most) : most_(most) {}
  ~Pipes();
  Pipes(const Pipes&) = delete;
  Pipes& operator=(const Pipes&) = delete;

  std::optional<Pipe> lend();  // empty if all are lent or no descriptors are left

 private:
  static std::optional<Pipe::Ends> make();
  void take_back(const Pipe& pipe);

  const std::size_t most_;
  std::optional<Pipe::Ends> idle_;
  std::size_t lent_ = 0;
};

}  // namespace probegate::loop
