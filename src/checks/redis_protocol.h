// The Redis protocol without I/O: formats commands and parses replies.
//
// Bound: a reply has at most kMostElements elements, including nested ones; more is an error before memory is
// allocated. The caller limits the number of bytes. Thread: any, one at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace probegate::checks {

struct RedisReply {
  enum class Type { nil, error, text, array };  // an integer becomes a text
  Type type = Type::nil;
  std::string text;
  std::vector<RedisReply> items;

  bool is_nil() const { return type == Type::nil; }
  bool is_error() const { return type == Type::error; }
};

std::string redis_command(const std::vector<std::string>& words);

class RedisReader {
 public:
  static constexpr std::size_t kMostElements = 1024;

  RedisReader();
  ~RedisReader();

  void feed(std::span<const char> bytes);
  // Empty: more bytes are needed. An error: the bytes are not a Redis reply, and the reader cannot
  // be used again.
  Result<std::optional<RedisReply>> next();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace probegate::checks
