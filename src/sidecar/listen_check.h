// ListenCheck: sends a request to our own probe port, so that "listening" is logged only if it is true.
//
// Reason: a server once ran for hours and reported itself healthy without listening. Called from: the control
// loop, once.
#pragma once

#include <functional>
#include <string>

#include "loop/address.h"
#include "loop/stream.h"
#include "loop/timer.h"

namespace probegate::sidecar {

class ListenCheck final : private loop::StreamObserver {
 public:
  // Calls `done` once, in a later turn: with an empty text if the port answered HTTP, else with the problem.
  ListenCheck(loop::Loop& loop, const Endpoint& probe_port, std::function<void(std::string)> done);

 private:
  void on_connected(int status) override;
  void on_data(std::span<const char> bytes) override;
  void on_end() override { finish("it closed the connection without an answer"); }
  void on_lost(int status) override { finish(loop::error_text(status)); }
  void finish(std::string problem);

  std::function<void(std::string)> done_;
  loop::Timer deadline_;
  loop::Stream stream_;
  std::string answer_;
};

}  // namespace probegate::sidecar
