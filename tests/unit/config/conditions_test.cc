#include "config/conditions.h"

#include <catch2/catch.hpp>

namespace probegate::config {
namespace {

using namespace std::chrono_literals;

std::vector<bool> held(const std::string& text, const Span& span) {
  const auto conditions = parse_conditions(text, Observer::remote);
  REQUIRE(conditions);
  std::vector<bool> out;
  for (const auto& condition : *conditions) out.push_back(condition.holds(span));
  return out;
}

}  // namespace

TEST_CASE("Conditions compare every named quantity, with sizes for bytes") {
  Span span{.length = 60s, .messages = 500};
  span.rss_bytes = 101.0 * 1024 * 1024;
  span.restarts = 1;
  CHECK(
      held(
          "rss_bytes>100MiB, messages_per_minute<1000,messages_per_minute<=499,check_failures>=0,restarts==1",
          span) == std::vector<bool>{true, true, false, true, true});
}

TEST_CASE("Rates are scaled to a minute, counts and ratios are not") {
  const Span span{.length = 30s, .messages = 10, .requests = 40, .refused = 10, .tunnel_lost = 2};
  CHECK(held("messages_per_minute==20,requests_per_minute==80,refused_per_minute==20,refused_ratio==0.25,"
             "tunnel_lost==2",
             span) == std::vector<bool>(5, true));
}

TEST_CASE("A span in which nothing happened, or that took no time, has no rate and no ratio") {
  CHECK(held("messages_per_minute==0,refused_ratio==0", Span{}) == std::vector<bool>(2, true));
}

TEST_CASE("More may be refused than asked, and never more than all of it") {
  CHECK(held("refused_ratio==1", {.length = 60s, .requests = 3, .refused = 9}) == std::vector<bool>{true});
}

TEST_CASE("A quantity that nobody could read holds nothing") {
  CHECK(held("rss_bytes<1,restarts<1,unreachable_seconds<1", Span{}) == std::vector<bool>(3, false));
}

TEST_CASE("A wrong condition names what is allowed") {
  for (const char* text :
       {"memory>1", "rss_bytes", "rss_bytes>", "rss_bytes>much", "rss_bytes!=3", ",", "rss_bytes>1,,"}) {
    INFO(text);
    REQUIRE_FALSE(parse_conditions(text, Observer::remote));
  }
  CHECK(
      parse_conditions("memory>1", Observer::remote).error().message.find("refused_ratio, check_failures") !=
      std::string::npos);
  CHECK(parse_conditions("", Observer::remote)->empty());
}

TEST_CASE("What only somebody outside sees is refused within, and is not among the names there") {
  for (const char* text : {"restarts>0", "unreachable_seconds>0"}) {
    INFO(text);
    CHECK(parse_condition(text, Observer::remote));
    const auto inside = parse_condition(text, Observer::self);
    REQUIRE_FALSE(inside);
    CHECK(inside.error().message.find("only `probegate report` can measure this") != std::string::npos);
  }
  CHECK(condition_names(Observer::self).find("unreachable") == std::string::npos);
  CHECK(condition_names(Observer::remote).find("unreachable_seconds") != std::string::npos);
}

}  // namespace probegate::config
