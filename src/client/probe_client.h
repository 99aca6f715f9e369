// ProbeClient: sends requests to the running probegate, for commands that observe it from outside.
//
// Owns: its own loop, which runs only during a call. Invariant: every call returns within its timeout, or at
// once on SIGINT or SIGTERM.
#pragma once

#include <string>

#include "base/result.h"
#include "client/probe_address.h"
#include "loop/http_client.h"
#include "loop/loop.h"
#include "loop/resolver.h"
#include "loop/signal_watch.h"
#include "loop/timer.h"

namespace probegate::client {

class ProbeClient final : private loop::ErrorSink {
 public:
  explicit ProbeClient(ProbeAddress address);

  // The answer, whatever its status; the error is a sentence that names the address. May be called once more
  // after an interrupt; a second interrupt ends that call too.
  Result<loop::HttpResponse> get(const std::string& path, Duration timeout);
  // POST /<action><query> with the headers that the probe port requires.
  Result<loop::HttpResponse> act(const std::string& action, const std::string& query, Duration timeout);

  // False if interrupted.
  bool pause(Duration time);
  bool interrupted() const { return interrupted_; }

  const ProbeAddress& address() const { return address_; }
  const Clock& clock() const { return loop_; }

 private:
  Result<loop::HttpResponse> ask(loop::HttpRequest request);
  void interrupt();
  void on_exception(const std::string& what) noexcept override;

  const ProbeAddress address_;
  loop::Loop loop_;
  loop::Resolver resolver_;
  loop::HttpClient http_;
  bool interrupted_ = false;
  std::string trouble_;  // our own internal error
  loop::Timer limit_;
  loop::SignalWatch on_interrupt_;
  loop::SignalWatch on_terminate_;
};

}  // namespace probegate::client
