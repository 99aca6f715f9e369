#include "checks/session_age.h"

#include <catch2/catch.hpp>

namespace probegate::checks {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kLogin{1h};

}  // namespace

TEST_CASE("A session is over within max_session, and not before nine tenths of it") {
  for (int i = 0; i < 100; ++i) {
    SessionAge age(60s);
    age.begin(kLogin);
    CHECK_FALSE(age.over(kLogin + 53999ms));
    CHECK(age.over(kLogin + 60s));
  }
}

TEST_CASE("Sessions that begin together are not over together") {
  int over = 0;
  for (int i = 0; i < 200; ++i) {
    SessionAge age(60s);
    age.begin(kLogin);
    over += age.over(kLogin + 57s) ? 1 : 0;
  }
  CHECK(over > 20);
  CHECK(over < 180);
}

TEST_CASE("A session is never over with max_session 0, or before it has begun") {
  SessionAge age(0s);
  age.begin(kLogin);
  CHECK_FALSE(age.over(kLogin + 8760h));
  CHECK_FALSE(SessionAge(1s).over(kLogin));
}

TEST_CASE("A new session counts from its own beginning") {
  SessionAge age(10s);
  age.begin(kLogin);
  age.begin(kLogin + 10s);
  CHECK_FALSE(age.over(kLogin + 18s));
  CHECK(age.over(kLogin + 20s));
}

}  // namespace probegate::checks
