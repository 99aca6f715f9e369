// The first commands of a new Redis session: login, database and server type.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "checks/redis_conversation.h"

namespace probegate::checks {

struct RedisCredentials {
  std::string user;                     // empty: the default user
  std::optional<std::string> password;  // may be empty: a user without a password

  bool given() const { return password && !(user.empty() && password->empty()); }
};

struct RedisIdentity {
  std::string mode;  // "standalone", "cluster"; empty if unknown
  std::string role;  // "master", "replica"; empty without HELLO
};

// Calls `done` when the server has accepted everything; a refusal fails the conversation. With `identify` it
// also reads the server type, and a Sentinel is a failure.
void redis_log_in(RedisConversation& conversation, const RedisCredentials& who, int database, bool identify,
                  std::function<void(const RedisIdentity&)> done);

// A judge that fails on an error, and on any reply other than `expected`.
RedisConversation::Judge expect_reply(std::string command, std::string expected);

// Parses the answer to HELLO, a flat list of names and values.
RedisIdentity read_hello(const RedisReply& reply);

// The failure for a Sentinel, which answers PING but no command of an application.
health::CheckResult sentinel_instead();
bool is_unknown_command(const RedisReply& reply);

}  // namespace probegate::checks
