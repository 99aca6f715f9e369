// SentinelSearch: asks Redis Sentinels one after another for the master.
//
// Each gets an equal share of the time until the deadline, and one share is kept for the master itself, so
// that a hanging Sentinel does not use the time of the others. If the named server is not a master, next()
// asks the next Sentinel, which may have newer data. Thread: the check's loop.
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
    std::function<void(health::CheckResult)> failed;  // no Sentinel answered usefully
  };

  SentinelSearch(const CheckContext& context, const RedisSettings& settings, TimePoint deadline,
                 Events events);

  void next();  // calls `found` or `failed`; both may destroy this object
  // The Sentinel that named the last master, "10.0.0.1:26379".
  std::string named_by() const;
  // Records a problem, which is reported if no later Sentinel succeeds.
  void note(health::CheckResult problem);

 private:
  void log_in();
  std::optional<health::CheckResult> judge(const RedisReply& reply);
  void give_up(health::CheckResult problem);

  const CheckContext context_;
  const RedisSettings& settings_;
  const TimePoint deadline_;
  const Events events_;
  std::size_t asked_ = 0;  // number of Sentinels asked so far
  std::optional<Endpoint> master_;
  std::optional<Endpoint> last_master_;
  std::optional<health::CheckResult> problem_;
  loop::Timer patience_;
  std::optional<RedisConversation> conversation_;
};

}  // namespace probegate::checks
