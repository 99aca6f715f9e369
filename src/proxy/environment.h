// Environment: what all sessions of one data loop share. One object per data loop, owned by DataLoop.
//
// Thread: its data loop only; exceptions are noted at the members.
#pragma once

#include <memory>
#include <random>
#include <string>

#include "base/http_date.h"
#include "base/log.h"
#include "config/config.h"
#include "loop/deadline.h"
#include "loop/loop.h"
#include "loop/pipes.h"
#include "metrics/data_loop_metrics.h"
#include "proto/http_forward.h"
#include "proxy/gate_view.h"
#include "proxy/held_close.h"
#include "proxy/parser_pool.h"
#include "proxy/shared_limits.h"

namespace probegate::proxy {

class AccessLog;
class AuthClient;
class BackendPool;
class HoldQueue;
class Session;

// What a session reports to its data loop.
class SessionHost {
 public:
  virtual void session_ended(Session& session) = 0;  // destroys it before the next turn
  virtual void session_moved(Session& session) = 0;  // its standing has changed
  // Updates Environment::gate to the latest published state, so that a request is never admitted by an older
  // state than the probe port shows.
  virtual void refresh_gate() = 0;
  // The backend refused a connection. True if that closes the gate (a websocket check affects traffic).
  virtual bool backend_refused(const std::string& why) = 0;
  // The backend closed a tunnel with 1001 or 1012: it is ending, as planned.
  virtual void backend_stopping(std::uint16_t close_code) = 0;
  virtual void auth_breaker_changed(bool open, const std::string& why) = 0;

 protected:
  ~SessionHost() = default;
};

struct Environment {
  loop::Loop& loop;
  loop::DeadlineWheel& wheel;
  Log& log;
  metrics::DataLoopMetrics& metrics;
  SessionHost& host;
  // Shared with the control loop, which published them; replaced between two callbacks, never changed.
  std::shared_ptr<const config::Config> config;
  std::shared_ptr<const GateView> gate;
  BackendPool* backends = nullptr;
  HoldQueue* held = nullptr;
  AuthClient* auth = nullptr;
  AccessLog* access = nullptr;
  LoopLimits share;     // this loop's view of the limits that all loops share
  std::mt19937 random;  // for spreading, masking keys and request ids, none of which is secret
  HttpDate date{};
  EndRush rush = {};
  ParserPool parsers;
  std::string head;                        // buffer in which heads are composed; reused to avoid allocation
  loop::Pipes pipes{share.all().pipes()};  // for the payload of long frames

  const config::ProxyTimeouts& timeouts() const { return config->proxy.timeouts; }
  proto::HttpLimits head_limits() const {
    return {.head_bytes = static_cast<std::size_t>(config->proxy.limits.header_bytes)};
  }
  proto::Hop hop() const { return {share.all().instance(), config->proxy.via == config::Via::both}; }
  // Our name in the Via of answers; empty: no Via.
  std::string_view via() const {
    return config->proxy.via == config::Via::none ? std::string_view() : share.all().instance();
  }
  std::string_view http_date() { return date.at(loop.wall_now()); }
};

}  // namespace probegate::proxy
