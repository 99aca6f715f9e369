// RedisConversation: one connection to one Redis or Sentinel. Commands are sent together, and each reply is
// passed to the judge of its command, in order.
//
// Bounds: reads at most kLongestAnswer bytes per batch, unless the batch sets another limit. Errors: `failed`
// is called once, with the failure of the connection or of an answer; the conversation is then over. It has
// no deadline. Thread: the check's loop. May be destroyed at any time, inside `opened`, `failed` and `done`
// too, but not inside a judge.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "checks/check.h"
#include "checks/redis_protocol.h"
#include "loop/connection.h"

namespace probegate::checks {

class RedisConversation final : private loop::ConnectionObserver {
 public:
  static constexpr std::size_t kLongestAnswer = 64 * 1024;

  // Empty: the reply is as expected. A result: the conversation fails with it.
  using Judge = std::function<std::optional<health::CheckResult>(const RedisReply&)>;
  struct Question {
    std::vector<std::string> words;
    Judge judge;
  };
  struct Events {
    std::function<void()> opened;
    std::function<void(health::CheckResult)> failed;
  };

  RedisConversation(const CheckContext& context, const Endpoint& endpoint,
                    const std::optional<loop::TlsSettings>& tls, Events events);

  // Call it after `opened`, and after `done` of the previous batch. `done` follows the last judge.
  void ask(std::vector<Question> questions, std::function<void()> done,
           std::size_t longest_answer = kLongestAnswer);
  // Reported instead of a lost connection, if it is lost before the batch is answered.
  void blame_loss_on(health::CheckResult problem) { blamed_ = std::move(problem); }
  // Ends the conversation: `parted` is called when the server has closed the connection too, in any way.
  void part(std::function<void()> parted);

  bool asking() const { return !asked_.empty(); }
  bool answered() const { return received_ > 0; }  // a byte of this batch arrived
  const char* phase() const noexcept;
  std::optional<Duration> certificate_left() const { return connection_.certificate_left(); }

 private:
  void on_open() override;
  void on_data(std::span<const char> bytes) override;
  void on_end() override;
  void on_failed(Phase phase, const std::string& why) override;

  void fail(health::CheckResult result);
  void fail(health::FailKind kind, std::string message);
  std::string maybe_tls() const;

  const bool plain_tcp_;
  Events events_;
  RedisReader reader_;
  std::deque<Question> asked_;  // not yet answered
  std::function<void()> done_;
  std::function<void()> parted_;
  std::optional<health::CheckResult> blamed_;
  std::size_t longest_answer_ = 0;
  std::size_t received_ = 0;  // bytes received for the batch
  bool ever_heard_ = false;
  loop::Connection connection_;  // declared last: its callbacks use the other members
};

}  // namespace probegate::checks
