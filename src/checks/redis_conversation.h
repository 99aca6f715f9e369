// RedisConversation: one connection to one Redis or Sentinel. Commands go out together, and each reply goes
// to the judge of its command, in order.
//
// Bounds: no more than kLongestAnswer of one batch is read, unless the batch says otherwise. Errors: `failed`
// is called once, with how the connection or an answer went wrong; the conversation is then over. No deadline
// of its own. Thread: the check's loop. May be destroyed at any time, inside `opened`, `failed` and `done`
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

  // Nothing: all is well so far. A result: the conversation has failed with it.
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

  // Once opened, and after `done` of the batch before. `done` follows the last judge.
  void ask(std::vector<Question> questions, std::function<void()> done,
           std::size_t longest_answer = kLongestAnswer);
  // Told instead of the loss of the connection, where it is lost before the batch is answered.
  void blame_loss_on(health::CheckResult problem) { blamed_ = std::move(problem); }
  // We have nothing more to say: `parted` is called when the server has let go too, however it does.
  void part(std::function<void()> parted);

  bool asking() const { return !asked_.empty(); }
  bool answered() const { return received_ > 0; }  // a byte of this batch, or of none so far
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
  std::size_t received_ = 0;  // of the batch
  bool ever_heard_ = false;
  loop::Connection connection_;  // last: it calls the others
};

}  // namespace probegate::checks
