#include "checks/redis_conversation.h"

#include <utility>

#include "checks/transport.h"

namespace probegate::checks {

using health::CheckResult;
using health::FailKind;

RedisConversation::RedisConversation(const CheckContext& context, const Endpoint& endpoint,
                                     const std::optional<loop::TlsSettings>& tls, Events events)
    : plain_tcp_(!tls && !endpoint.is_unix()),
      events_(std::move(events)),
      connection_(context.loop, context.resolver, endpoint, tls,
                  static_cast<loop::ConnectionObserver&>(*this)) {}

void RedisConversation::ask(std::vector<Question> questions, std::function<void()> done,
                            std::size_t longest_answer) {
  received_ = 0;
  blamed_.reset();
  longest_answer_ = longest_answer;
  done_ = std::move(done);
  std::string bytes;
  for (auto& question : questions) {
    bytes += redis_command(question.words);
    asked_.push_back(std::move(question));
  }
  if (!connection_.write(bytes)) fail(FailKind::connect, "the connection broke");
}

void RedisConversation::part(std::function<void()> parted) {
  parted_ = std::move(parted);
  connection_.shutdown();
}

const char* RedisConversation::phase() const noexcept {
  if (parted_) return "ending the old session";
  return asked_.empty() ? connection_.phase() : "waiting for the answer";
}

void RedisConversation::on_open() { std::exchange(events_.opened, {})(); }

void RedisConversation::on_data(std::span<const char> bytes) {
  if (parted_) return;
  ever_heard_ = true;
  if (asked_.empty()) return fail(FailKind::protocol, "the server sent data without a request");
  received_ += bytes.size();
  if (received_ > longest_answer_) {
    return fail(FailKind::protocol,
                "the answer is longer than " + std::to_string(longest_answer_ / 1024) + " KiB");
  }
  reader_.feed(bytes);
  while (!asked_.empty()) {
    const auto reply = reader_.next();
    if (!reply) {
      return fail(FailKind::protocol,
                  "the answer to " + asked_.front().words.front() + " is not a valid Redis reply");
    }
    if (!*reply) return;
    if (auto problem = asked_.front().judge(**reply)) return fail(*std::move(problem));
    asked_.pop_front();
  }
  std::exchange(done_, {})();
}

void RedisConversation::on_end() {
  if (parted_) return std::exchange(parted_, {})();
  if (blamed_) return fail(*blamed_);
  fail(FailKind::connect, "the server closed the connection before it answered" + maybe_tls());
}

void RedisConversation::on_failed(Phase phase, const std::string& why) {
  if (parted_) return std::exchange(parted_, {})();
  if (blamed_) return fail(*blamed_);
  fail(failed_connection(phase, phase == Phase::established ? why + maybe_tls() : why));
}

// Redis closes a plain-text connection to a TLS port without an answer.
std::string RedisConversation::maybe_tls() const {
  return plain_tcp_ && !ever_heard_ ? "; if the port requires TLS, write rediss://" : "";
}

void RedisConversation::fail(FailKind kind, std::string message) {
  fail(CheckResult::fail(kind, std::move(message)));
}

// Keeps the pending requests, so that the owner can distinguish an attempt from the time between attempts.
void RedisConversation::fail(CheckResult result) {
  if (const auto failed = std::exchange(events_.failed, {})) failed(std::move(result));
}

}  // namespace probegate::checks
