// What Redis speaks, without I/O: commands as bytes, bytes as replies.
//
// Bound: a reply has at most kMostElements elements, nested ones included; one that announces more is an
// error before memory is taken for it. The caller bounds the bytes it feeds. Thread: any, one at a time.
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
  enum class Type { nil, error, text, array };  // an integer is a text
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
  // Nothing: more bytes are needed. An error: this is not what a Redis server sends, and the reader is over.
  Result<std::optional<RedisReply>> next();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace probegate::checks
