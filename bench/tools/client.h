// One client connection of the load generator: opens, does one unit of work at a time and verifies every byte
// of the answer. Driven by edges: advance() goes as far as the kernel lets it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net.h"

namespace bench {

enum class Kind { kEcho, kHandshake, kGet };

struct Work {
  Kind kind = Kind::kEcho;
  std::string target;
  std::size_t size = 64;      // of a message
  std::string path = "/";     // of a request
  std::size_t fields = 0;     // of a request, besides Host, each of 80 bytes
  std::string body_contains;  // of its answer
};

class Client {
 public:
  Client(const Work& work, std::size_t number);

  // Connects and, for an echo, upgrades: that is done when advance() says so. A handshake opens in each unit.
  void open(int epoll);
  void use(int epoll) { epoll_ = epoll; }  // instead of open(): each unit opens
  void begin();                            // a unit
  bool advance();                          // true when the opening or the unit is complete
  void close();
  bool is_open() const { return fd_ >= 0; }

  std::int64_t begun_ns = 0;

 private:
  enum class Step { kIdle, kUpgrade, kEcho, kClose, kEof, kAnswer };

  void say(Step step, std::string_view bytes);
  void send();
  bool take(std::string_view bytes);
  bool compare(std::string_view bytes);
  bool take_upgrade(std::string_view bytes);
  bool take_answer(std::string_view bytes);
  [[noreturn]] void wrong(std::string_view what, std::string_view seen = "") const;

  const Work& work_;
  const std::size_t number_;
  int fd_ = -1;
  int epoll_ = -1;
  Step step_ = Step::kIdle;
  std::string_view out_;  // still to be sent
  std::string message_;   // a masked frame
  std::string echo_;      // what must come back, frame header included
  std::string request_;
  std::string_view due_;         // what must still come back
  std::string answer_;           // a head, and after it a body, as far as it came
  std::size_t answer_size_ = 0;  // 0 = the head is not complete
};

}  // namespace bench
