#include "checks/grpc_health.h"

#include <catch2/catch.hpp>

namespace probegate::checks {
namespace {

using namespace std::string_literals;

std::optional<std::uint64_t> status_of(const std::string& message) {
  return grpc_serving_status("\0\0\0\0"s + static_cast<char>(message.size()) + message);
}

}  // namespace

TEST_CASE("gRPC health question names its service, or nothing for the whole server") {
  CHECK(grpc_health_question("") == "\0\0\0\0\0"s);
  CHECK(grpc_health_question("chat.Rules") == "\0\0\0\0\x0C\x0A\x0A"s + "chat.Rules");
  const std::string longer(300, 'x');  // its length takes two bytes, and so does the message's
  CHECK(grpc_health_question(longer) == "\0\0\0\x01\x2F\x0A\xAC\x02"s + longer);
}

TEST_CASE("gRPC health answer gives its status, whatever else is in the message") {
  CHECK(status_of("") == 0u);
  CHECK(status_of("\x08\x01") == 1u);
  CHECK(status_of("\x08\xAC\x02") == 300u);
  CHECK(status_of("\x08\x01\x08\x02") == 2u);  // the last counts
  CHECK(status_of("\x12\x03xyz\x08\x01") == 1u);
  CHECK(status_of("\x19\x01\x02\x03\x04\x05\x06\x07\x08\x08\x01") == 1u);
  CHECK(status_of("\x25\x01\x02\x03\x04\x08\x01\x28\x7F") == 1u);
}

TEST_CASE("gRPC health answer that is broken anywhere is none") {
  for (const auto& message : {"\x08"s, "\x08\x80"s, "\x12\x7F"s, "\x19\x01"s, "\x25\x01\x02\x03"s, "\x0B"s,
                              "\x0F\x01"s, "\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"s,
                              "\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"s}) {
    CHECK_FALSE(status_of(message));
  }
  CHECK_FALSE(grpc_serving_status(""));
  CHECK_FALSE(grpc_serving_status("\0\0\0\0"s));
  CHECK_FALSE(grpc_serving_status("\x01\0\0\0\x02\x08\x01"s));  // compressed
  CHECK_FALSE(grpc_serving_status("\0\0\0\0\x03\x08\x01"s));    // cut off
  CHECK_FALSE(grpc_serving_status("\0\0\0\0\x01\x08\x01"s));    // more than one message
}

}  // namespace probegate::checks
