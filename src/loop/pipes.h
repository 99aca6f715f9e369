// Pipes: what a payload passes through from socket to socket when it is not copied into this process
// (splice(2)).
//
// Owns: pipes, made when they are needed, at most as many as it was told. Invariant: a pipe is lent only
// while bytes are on their way through it, so one of them serves any number of connections whose peers keep
// up, and only those whose peers do not keep one each. One stays open while nobody needs it; one that comes
// back with bytes in it, because its connection ended, is closed and they are gone.
// Thread: the loop's own. Outlives what it lends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace probegate::loop {

class Pipes {
 public:
  // How much goes through at a time. The kernel counts in pieces as they came from the network, one for each
  // 4 KiB of this, so less may fit.
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
    // As recv() would, at most kSize: how many bytes, 0 at the end of what the peer sends, or -errno.
    long fill(int socket, std::uint64_t most);
    // As much as the socket takes: 0 or -errno; that it takes no more now is no error. What is left, held().
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

  std::optional<Pipe> lend();  // none when all are lent, or there are no descriptors

 private:
  static std::optional<Pipe::Ends> make();
  void take_back(const Pipe& pipe);

  const std::size_t most_;
  std::optional<Pipe::Ends> idle_;
  std::size_t lent_ = 0;
};

}  // namespace probegate::loop
