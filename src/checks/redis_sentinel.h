// SentinelSearch: asks Redis Sentinels, one after the other, who the master is.
//
// Each gets an even share of what is left until the deadline, with one share kept for the master itself, so
// that one that hangs does not take the others' time. A master that turns out not to be one is no reason to
// give up: next() asks the following Sentinel, which may know better. Thread: the check's loop.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "checks/redis_conversation.h"
#include "checks/redis_settings.h"
#include "loop/timer.h"

namespace probegate::checks {

class SentinelSearch {
 public:
  struct Events {
    std::function<void(const Endpoint& master)> found;
    std::function<void(health::CheckResult)> failed;  // no Sentinel is left
  };

  SentinelSearch(const CheckContext& context, const RedisSettings& settings, TimePoint deadline,
                 Events events);

  void next();  // `found` or `failed` follows; both may destroy us
  // Who named the last master, "10.0.0.1:26379".
  std::string named_by() const;
  // What stopped us so far, to be told when a later Sentinel does not help either.
  void note(health::CheckResult problem);

 private:
  void log_in();
  std::optional<health::CheckResult> judge(const RedisReply& reply);
  void give_up(health::CheckResult problem);

  const CheckContext context_;
  const RedisSettings& settings_;
  const TimePoint deadline_;
  const Events events_;
  std::size_t asked_ = 0;  // Sentinels so far
  std::optional<Endpoint> master_;
  std::optional<Endpoint> last_master_;
  std::optional<health::CheckResult> problem_;
  loop::Timer patience_;
  std::optional<RedisConversation> conversation_;
};

}  // namespace probegate::checks
