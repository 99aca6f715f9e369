// AuthWorker: one thread that asks the auth service on behalf of all data loops.
//
// A thread of its own, because TLS handshakes and curl's work would delay tunnels on a data loop and probes
// on the control loop. Owns: its loop, its connections to the service, the questions until they are answered,
// and the breaker. Invariant: it holds at most kMostQuestions, and at most kMostAsked are sent to the service
// at once. It guarantees no answer in time: each session has its own deadline, so this thread may hang.
// Thread: built, started, stopped, joined and destroyed by the main thread, and joined before any data loop
// is destroyed; ask(), withdraw() and breaker() by the data loops.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/inbox.h"
#include "base/log.h"
#include "config/config.h"
#include "health/circuit_breaker.h"
#include "loop/http_client.h"
#include "loop/wakeup.h"
#include "proxy/auth_protocol.h"

namespace probegate::proxy {

struct AuthReply {
  std::uint64_t question;
  AuthAnswer answer;
};

// Through which a data loop receives its replies.
struct AuthReplies {
  AuthReplies(loop::Loop& loop, std::function<void()> taker) : wakeup(loop, std::move(taker)) {}
  Inbox<AuthReply> inbox;
  loop::Wakeup wakeup;
};

class AuthWorker {
 public:
  static constexpr std::size_t kMostQuestions = 4096;
  static constexpr std::size_t kMostAsked = 128;

  explicit AuthWorker(Log& log);
  ~AuthWorker();

  // Before the first configuration with `auth` is published. Does nothing when it runs already. `ended` is
  // called on its thread, last.
  void start(std::function<void()> ended);
  bool running() const { return running_ != nullptr; }
  void stop();  // may be repeated
  void join();

  // Returns the number of the question, which its reply will have, or nothing if there are too many. The
  // reply is due by `until` and may never come. `config` must have `auth`.
  std::optional<std::uint64_t> ask(loop::HttpRequest request, TimePoint until,
                                   std::shared_ptr<const config::Config> config, AuthReplies& replies);
  void withdraw(std::uint64_t question);

  health::CircuitBreaker& breaker() { return breaker_; }

 private:
  struct GiveBack {
    void operator()(std::atomic<std::size_t>* count) const { count->fetch_sub(1, std::memory_order_relaxed); }
  };
  struct Question {
    std::uint64_t number;
    loop::HttpRequest request;
    TimePoint until;
    std::shared_ptr<const config::Config> config;  // shared with its session and the data loops
    AuthReplies* replies;
    std::unique_ptr<std::atomic<std::size_t>, GiveBack> place;  // one of kMostQuestions
  };
  struct Running;

  void ask_soon();
  void ask_waiting();
  void answered(std::uint64_t number, const loop::HttpClient::Outcome& outcome);

  Log& log_;
  health::CircuitBreaker breaker_;
  std::atomic<std::size_t> questions_{0};
  std::atomic<std::uint64_t> last_number_{0};
  std::unique_ptr<Running> running_;
};

}  // namespace probegate::proxy
