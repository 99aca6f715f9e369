#include "checks/redis_login.h"

#include <memory>
#include <utility>

#include "base/text.h"
#include "checks/presentable.h"
#include "checks/redis_answers.h"

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::FailKind;
using Question = RedisConversation::Question;
using Problem = std::optional<CheckResult>;

struct Login {
  RedisIdentity identity;
  bool identified = false;  // by HELLO, which Redis 6.2 and later answer
  Problem refused;          // reported once the server is known not to be a Sentinel

  Problem on_hello(const RedisReply& reply) {
    identity = read_hello(reply);
    if (identity.mode == "sentinel") return sentinel_instead();
    identified = !reply.is_error();
    if (identified || refused) return refused;
    const auto prefix = redis_error_prefix(reply.text);
    if (prefix == "NOAUTH") return redis_error("AUTH", "NOAUTH Authentication required.");
    const bool unknown = prefix == "ERR" && !redis_server_is_full(reply.text);
    return unknown || prefix == "NOPERM" ? Problem() : redis_error("HELLO", reply.text);
  }

  Problem on_info(const RedisReply& reply) {
    if (!reply.is_error()) identity.mode = redis_info_value(reply.text, "redis_mode");
    if (identity.mode == "sentinel") return sentinel_instead();
    return refused;
  }
};

}  // namespace

void redis_log_in(RedisConversation& conversation, const RedisCredentials& who, int database, bool identify,
                  std::function<void(const RedisIdentity&)> done) {
  const auto login = std::make_shared<Login>();  // owners: the judges and the callback after them
  // A refusal is reported only after the server type is known: a Sentinel knows neither our
  // password nor SELECT.
  const auto expect_ok = [&](const std::string& command) {
    return [login, identify, &conversation, judge = expect_reply(command, "OK")](const RedisReply& reply) {
      auto problem = judge(reply);
      const bool waits =
          identify && !login->identified && reply.is_error() && !redis_server_is_full(reply.text);
      if (!waits) return problem;
      if (!login->refused) login->refused = std::move(problem);
      conversation.blame_loss_on(*login->refused);
      return Problem();
    };
  };
  std::vector<Question> questions;
  if (who.given()) {
    auto words = who.user.empty() ? std::vector<std::string>{"AUTH", *who.password}
                                  : std::vector<std::string>{"AUTH", who.user, *who.password};
    questions.push_back({std::move(words), expect_ok("AUTH")});
  }
  if (identify)
    questions.push_back({{"HELLO"}, [login](const auto& reply) { return login->on_hello(reply); }});
  if (database != 0) questions.push_back({{"SELECT", std::to_string(database)}, expect_ok("SELECT")});
  if (questions.empty()) return done(login->identity);
  conversation.ask(std::move(questions), [login, identify, &conversation, done = std::move(done)] {
    if (!identify || login->identified) return done(login->identity);
    conversation.ask({{{"INFO", "server"}, [login](const auto& reply) { return login->on_info(reply); }}},
                     [login, done] { done(login->identity); });
  });
}

RedisConversation::Judge expect_reply(std::string command, std::string expected) {
  return [command = std::move(command),
          expected = std::move(expected)](const RedisReply& reply) -> std::optional<CheckResult> {
    if (reply.is_error()) return redis_error(command, reply.text);
    if (reply.type == RedisReply::Type::text && reply.text == expected) return std::nullopt;
    const std::string gave = reply.type == RedisReply::Type::text ? quoted(reply.text)
                             : reply.is_nil()                     ? "nothing"
                                                                  : "a list";
    return CheckResult::fail(FailKind::answer, command + " gave " + gave + ", expected " + quoted(expected));
  };
}

RedisIdentity read_hello(const RedisReply& reply) {
  RedisIdentity identity;
  for (std::size_t i = 0; i + 1 < reply.items.size(); i += 2) {
    if (reply.items[i].text == "mode") identity.mode = reply.items[i + 1].text;
    if (reply.items[i].text == "role") identity.role = reply.items[i + 1].text;
  }
  return identity;
}

CheckResult sentinel_instead() {
  return CheckResult::fail(
      FailKind::config,
      "this is a Redis Sentinel; to check its master, write redis+sentinel://HOST:PORT/NAME with the name "
      "of the master");
}

bool is_unknown_command(const RedisReply& reply) {
  return reply.is_error() && reply.text.starts_with("ERR unknown command");
}

}  // namespace probegate::checks
