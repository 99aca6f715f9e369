#include "proto/accept.h"

#include <catch2/catch.hpp>

namespace probegate::proto {
namespace {

bool health(std::string_view accept) {
  return prefers(accept, "application/health+json", {}, "application/json");
}
bool openmetrics(std::string_view accept) {
  return prefers(accept, "application/openmetrics-text", "1.0.0", "text/plain");
}

TEST_CASE("The special type must be named to be chosen") {
  CHECK_FALSE(health(""));
  CHECK_FALSE(health("*/*"));
  CHECK_FALSE(health("application/*"));
  CHECK_FALSE(health("application/json"));
  CHECK_FALSE(health("application/health+jsonx"));
  CHECK(health("application/health+json"));
  CHECK(health("text/html, Application/Health+JSON ;q=0.5, */*;q=0.1"));
}

TEST_CASE("Weights decide, and zero refuses") {
  CHECK(health("application/health+json;q=0.8, application/json;q=0.8"));
  CHECK_FALSE(health("application/health+json;q=0.7, application/json;q=0.8"));
  CHECK_FALSE(health("application/health+json;q=0"));
  CHECK_FALSE(health("application/health+json;q=0.000, */*"));
  CHECK_FALSE(health("application/health+json;q=x"));
}

TEST_CASE("A version we do not speak is not chosen") {
  CHECK(openmetrics("application/openmetrics-text"));
  CHECK(openmetrics("application/openmetrics-text; version=1.0.0; charset=utf-8"));
  CHECK(openmetrics("application/openmetrics-text; version=\"1.0.0\""));
  CHECK_FALSE(openmetrics("application/openmetrics-text; version=0.0.1"));
}

TEST_CASE("What Prometheus sends chooses OpenMetrics, and its text-only forms do not") {
  CHECK(openmetrics(
      "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;"
      "q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"));
  CHECK_FALSE(openmetrics("text/plain;version=0.0.4;q=0.5,*/*;q=0.4"));
}

TEST_CASE("A broken field is read as far as it goes") {
  for (const char* accept : {",", ";", ";;q=", ",,,;=,", "application/health+json;", "=", "q=1"}) {
    CAPTURE(accept);
    CHECK(health(accept) == (std::string_view(accept) == "application/health+json;"));
  }
}

}  // namespace
}  // namespace probegate::proto
