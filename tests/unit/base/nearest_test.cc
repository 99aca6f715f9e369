#include "base/nearest.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace probegate {
namespace {

constexpr std::string_view kWords[] = {"run", "validate", "startup_timeout", "status", "tls"};

TEST_CASE("A slip leads to the word that was meant") {
  CHECK(nearest_word("rnu", kWords) == "run");
  CHECK(nearest_word("validat", kWords) == "validate");
  CHECK(nearest_word("startup_timout", kWords) == "startup_timeout");
}

TEST_CASE("Capitals and hyphens are no difference") {
  CHECK(nearest_word("STATUS", kWords) == "status");
  CHECK(nearest_word("startup-timeout", kWords) == "startup_timeout");
  CHECK(nearest_word("startupTimeout", kWords) == "startup_timeout");
  CHECK(snake_case("periodSeconds") == "period_seconds");
  CHECK(snake_case("TLS") == "tls");
}

TEST_CASE("What is near to nothing has no hint") {
  CHECK(nearest_word("elephant", kWords).empty());
  CHECK(nearest_word("", kWords).empty());
  CHECK(nearest_word("xyz", kWords).empty());
  CHECK(nearest_word(std::string(10'000, 'r'), kWords).empty());
}

}  // namespace
}  // namespace probegate
