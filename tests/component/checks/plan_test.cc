#include "checks/plan.h"

#include <catch2/catch.hpp>
#include <set>

#include "checks/registry.h"

namespace probegate::checks {
namespace {

using namespace std::chrono_literals;

config::Loaded load(const std::string& yaml) {
  return config::load_text(yaml, "test.yaml", {}, config_check_types());
}

constexpr const char* kAllTypes = R"(
checks:
  database: {type: postgres, url: postgresql://app@db/chat, tables: [users], rise: 2, fall: 5, slow: 100ms}
  redis: {type: redis, url: redis://cache, needs: [database], stable_for: 3s}
  websocket: {type: websocket, url: /ws, needs: [redis, database], startup_interval: 50ms}
  auth: {type: http, url: http://auth.internal/health, affects: [], interval: 30s, timeout: 1s}
  broker: {type: tcp, address: nats:4222, initial_delay: 4s}
  rules: {type: grpc, url: grpc://rules:50051, service: chat.Rules}
  orders: {type: mysql, url: mysql://app@db/shop, tables: [orders]}
)";

}  // namespace

TEST_CASE("Every check type of the table reads its configuration and can be planned") {
  const auto loaded = load(kAllTypes);
  REQUIRE(loaded.problems == std::vector<std::string>{});
  const auto planned = plan_checks(loaded.config);
  REQUIRE(planned.size() == 7);
  std::set<std::string> used;
  for (std::size_t i = 0; i < planned.size(); ++i) {
    CHECK(planned[i].plan.make != nullptr);
    CHECK_FALSE(planned[i].plan.target.empty());
    used.insert(loaded.config.checks[i].type);
  }
  for (const auto& type : check_types()) CHECK(used.count(std::string(type.name)) == 1);
  CHECK(planned[0].plan.target == "db:5432/chat");
  CHECK(planned[2].pace.startup_interval == 50ms);
  CHECK(planned[3].pace.interval == 30s);
  CHECK(planned[3].timeout == 1s);
  CHECK(planned[4].pace.initial_delay == 4s);
}

TEST_CASE("Policies follow the file's order and name needs by index") {
  const auto policies = check_policies(load(kAllTypes).config);
  REQUIRE(policies.size() == 7);
  CHECK(policies[0].name == "database");
  CHECK(policies[0].rise == 2);
  CHECK(policies[0].fall == 5);
  CHECK(policies[0].slow == 100ms);
  CHECK(policies[1].needs == std::vector<std::size_t>{0});
  CHECK(policies[1].stable_for == 3s);
  CHECK(policies[2].needs == std::vector<std::size_t>{0, 1});
  CHECK(policies[2].affects == health::Affects{true, true, true});
  CHECK(policies[3].affects == health::Affects{false, false, false});
}

TEST_CASE("A check's own mistakes come out with the others, in the order of the file") {
  const auto loaded = load(
      "checks:\n"
      "  database: {type: postgres, tables: ['a b'], url: 'postgresql://db', colour: red}\n"
      "  cache: {type: memcached}\n"
      "  redis: {type: redis, url: 'ftp://x'}\n");
  REQUIRE(loaded.problems.size() == 5);
  CHECK(loaded.problems[0].find("test.yaml:2:39: checks.database.tables") == 0);
  CHECK(loaded.problems[1].find("colour") != std::string::npos);
  CHECK(loaded.problems[2].find("test.yaml:3:3: checks.cache.address: is missing") == 0);
  CHECK(loaded.problems[3].find("postgres") != std::string::npos);
  CHECK(loaded.problems[4].find("test.yaml:4:29: checks.redis.url: must start with redis://") == 0);
}

TEST_CASE("An unknown check type is not in the table") {
  CHECK(find_check_type("memcached") == nullptr);
  CHECK(find_check_type("tcp")->read == read_tcp);
}

}  // namespace probegate::checks
