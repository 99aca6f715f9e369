#include "proxy/request_id.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <string>

using namespace probegate;

TEST_CASE("Eight hexadecimal digits stand for each number, and no two numbers share theirs") {
  std::set<std::string> seen;
  for (std::uint32_t digit = 0; digit < 16; ++digit) {
    for (int place = 0; place < 8; ++place) {
      const std::uint64_t packed = proxy::hex_digits(digit << (4 * place));
      std::string digits(8, '\0');
      std::memcpy(digits.data(), &packed, digits.size());
      CAPTURE(digit, place, digits);
      CHECK(digits.find_first_not_of("0123456789abcdef") == std::string::npos);
      CHECK((digits.find("0123456789abcdef"[digit]) != std::string::npos));
      seen.insert(digits);
    }
  }
  CHECK(seen.size() == 15 * 8 + 1);  // 0 is the same in every place
}

TEST_CASE("A request id is 32 hexadecimal digits, another one each time") {
  std::mt19937 random(1);
  const std::string first = proxy::new_request_id(random);
  CHECK(first.size() == 32);
  CHECK(first.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(proxy::new_request_id(random) != first);
}
