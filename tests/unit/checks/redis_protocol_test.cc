#include "checks/redis_protocol.h"

#include <catch2/catch.hpp>

namespace probegate::checks {
namespace {

// What the reader makes of these bytes: the reply, "more" or "error".
std::string read(const std::string& bytes) {
  RedisReader reader;
  reader.feed(bytes);
  const auto reply = reader.next();
  if (!reply) return "error";
  if (!*reply) return "more";
  std::string text = (*reply)->is_nil()     ? "nil"
                     : (*reply)->is_error() ? "-" + (*reply)->text
                                            : (*reply)->text;
  for (const auto& item : (*reply)->items) text += "[" + item.text + "]";
  return text;
}

}  // namespace

TEST_CASE("Each kind of reply is read") {
  CHECK(read("+PONG\r\n") == "PONG");
  CHECK(read("-ERR no\r\n") == "-ERR no");
  CHECK(read(":42\r\n") == "42");
  CHECK(read("$5\r\nvalue\r\n") == "value");
  CHECK(read("$-1\r\n") == "nil");
  CHECK(read("*-1\r\n") == "nil");
  CHECK(read("*2\r\n$1\r\nh\r\n:6379\r\n") == "[h][6379]");
  CHECK(read("*0\r\n") == "");
  CHECK(read("$5\r\nval") == "more");
}

TEST_CASE("A list within a list is read, and its elements stay where they belong") {
  RedisReader reader;
  reader.feed(std::string("*3\r\n$4\r\nmode\r\n*2\r\n+a\r\n$-1\r\n+end\r\n"));
  const auto reply = reader.next();
  REQUIRE(reply);
  const auto& items = (*reply)->items;
  REQUIRE(items.size() == 3);
  REQUIRE(items[1].items.size() == 2);
  CHECK(items[1].items[0].text == "a");
  CHECK(items[1].items[1].is_nil());
  CHECK(items[2].text == "end");
}

TEST_CASE("A list that announces more than a check needs is an error before memory is taken for it") {
  CHECK(read("*100000000\r\n") == "error");
  CHECK(read("*1000\r\n*1000\r\n") == "error");
  CHECK(read("*1000\r\n") == "more");
}

TEST_CASE("What is no Redis is an error") {
  CHECK(read("HTTP/1.1 400 Bad Request\r\n\r\n") == "error");
  CHECK(read("$-7\r\n\r\n") == "error");
}

}  // namespace probegate::checks
