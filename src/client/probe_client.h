// ProbeClient: asks the running probegate, for commands that watch it from outside.
//
// Owns: a loop of its own, turned only while something is asked or waited for. Invariant: every call ends
// within the time it was given, or at once when SIGINT or SIGTERM comes.
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

  // The answer, whatever its status; the error is a sentence that names the address. After an interrupt, too,
  // for a last look: another one then ends it.
  Result<loop::HttpResponse> get(const std::string& path, Duration timeout);
  // POST /<action>, as the probe port wants it.
  Result<loop::HttpResponse> act(const std::string& action, Duration timeout);

  // False when the user has asked for the end.
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
  std::string trouble_;  // of our own
  loop::Timer limit_;
  loop::SignalWatch on_interrupt_;
  loop::SignalWatch on_terminate_;
};

}  // namespace probegate::client
