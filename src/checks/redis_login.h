// The first words of a new session with a Redis: the login, the database, and what the server says it is.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "checks/redis_conversation.h"

namespace probegate::checks {

struct RedisCredentials {
  std::string user;                     // empty: the default user
  std::optional<std::string> password;  // may be empty: some users need none

  bool given() const { return password && !(user.empty() && password->empty()); }
};

struct RedisIdentity {
  std::string mode;  // "standalone", "cluster"; empty where the server does not say
  std::string role;  // "master", "replica"; empty where it was not asked by HELLO
};

// `done` follows when the server has taken everything; what it refuses is a failure of the conversation. With
// `identify` it is also asked what it is, and one that is a Sentinel is a failure.
void redis_log_in(RedisConversation& conversation, const RedisCredentials& who, int database, bool identify,
                  std::function<void(const RedisIdentity&)> done);

// An error is one, whatever `command` it answers; else the reply must be `expected`.
RedisConversation::Judge expect_reply(std::string command, std::string expected);

// HELLO's answer, a flat list of names and values.
RedisIdentity read_hello(const RedisReply& reply);

// A Sentinel answers PING, and nothing that an application asks.
health::CheckResult sentinel_instead();
bool is_unknown_command(const RedisReply& reply);

}  // namespace probegate::checks
