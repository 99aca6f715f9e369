// ListenCheck: sends a request to our own probe port, so that "listening" is logged only if it is true.
//
// Reason: a server once ran for hours and reported itself healthy without listening. Called from: the control
// loop, once.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "loop/address.h"
#include "loop/stream.h"
#include "loop/timer.h"

namespace probegate::sidecar {

class ListenCheck final : private loop::StreamObserver {
 public:
  // Calls `done` once: with an empty text if the port answered HTTP, else with the problem. Asks again, for
  // up to 5 s, where a connection is closed without an answer: clients may take all that the port can serve.
  ListenCheck(loop::Loop& loop, const Endpoint& probe_port, std::function<void(std::string)> done);

 private:
  void ask();
  void ask_again();
  void on_connected(int status) override;
  void on_data(std::span<const char> bytes) override;
  void on_end() override { ask_again(); }
  void on_lost(int) override { ask_again(); }
  void finish(std::string problem);

  loop::Loop& loop_;
  const std::optional<loop::Address> address_;
  std::function<void(std::string)> done_;
  std::string problem_ = "no answer within 5 s";
  loop::Timer deadline_;
  loop::Timer again_;
  loop::Stream stream_;
  std::string answer_;
};

}  // namespace probegate::sidecar
