// A check under test: made from the YAML a user would write, run attempt by attempt on the test's loop.
#pragma once

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

#include "checks/registry.h"
#include "config/load.h"
#include "health/check_result.h"
#include "loop/http_client.h"
#include "loop/resolver.h"
#include "tests/support/fake_peer.h"
#include "tests/support/no_descriptors.h"
#include "tests/support/test_loop.h"

namespace probegate::test {

using checks::CheckPlan;
using health::CheckResult;
using health::FailKind;
using health::Verdict;

struct ReadOutcome {
  CheckPlan plan;
  std::vector<std::string> problems;
};

// `own_keys` is YAML in flow style: "url: redis://127.0.0.1:6379, write: false".
inline ReadOutcome read_check(checks::ReadCheck read, const std::string& type, const std::string& own_keys,
                              const std::string& proxy = "{}") {
  ReadOutcome outcome;
  config::CheckTypes types;
  types.names = {type};
  types.read = [&](config::CheckSpec& spec, const config::Config& config) {
    outcome.plan = read(spec, config);
  };
  const auto yaml = "proxy: " + proxy + "\nchecks:\n  it: {type: " + type + ", " + own_keys + "}\n";
  outcome.problems = config::load_text(yaml, "test.yaml", {}, types).problems;
  return outcome;
}

// The plan of a check that is configured without mistakes.
inline CheckPlan plan_of(checks::ReadCheck read, const std::string& type, const std::string& own_keys,
                         const std::string& proxy = "{}") {
  auto outcome = read_check(read, type, own_keys, proxy);
  REQUIRE(outcome.problems == std::vector<std::string>{});
  return std::move(outcome.plan);
}

// All problems, a line each.
inline std::string problem_lines(checks::ReadCheck read, const std::string& type,
                                 const std::string& own_keys) {
  std::string all;
  for (const auto& line : read_check(read, type, own_keys).problems) all += line + "\n";
  return all;
}

struct Mistake {
  std::string keys;
  std::string expected;
};

// Each of them is reported as the one mistake that it is; what is secret in the keys begins with t0p.
inline void check_mistakes(checks::ReadCheck read, const std::string& type,
                           const std::vector<Mistake>& mistakes) {
  for (const auto& [keys, expected] : mistakes) {
    const auto problems = read_check(read, type, keys).problems;
    CAPTURE(keys);
    REQUIRE(problems.size() == 1);
    CHECK_THAT(problems[0], Catch::Contains(expected));
    CHECK_THAT(problems[0], !Catch::Contains("t0p"));
  }
}

class CheckUnderTest {
 public:
  explicit CheckUnderTest(CheckPlan plan) : plan_(std::move(plan)) { remake(); }

  // One attempt; fails the test when it does not finish in time.
  CheckResult attempt(Duration limit = 10s) {
    start();
    REQUIRE(loop.until([&] { return result.has_value(); }, limit));
    return *result;
  }

  void start(Duration deadline = 5s) {
    result.reset();
    check->start(checks::Attempt([this](CheckResult r) {
                   ++reports;
                   result = std::move(r);
                 }),
                 loop->now() + deadline);
  }

  // Of an attempt under way.
  bool finishes_without_descriptors() {
    const NoDescriptors none;
    return loop.until([&] { return result.has_value(); });
  }

  // As the runner does after a deadline.
  void remake() { check = plan_.make(context_); }

  TestLoop loop;
  std::optional<CheckResult> result;
  int reports = 0;

 private:
  CheckPlan plan_;
  loop::Resolver resolver_{loop};
  loop::HttpClient http_{loop, resolver_};
  checks::CheckContext context_{loop, resolver_, http_};

 public:
  std::unique_ptr<checks::Check> check;
};

inline std::string text(const CheckResult& result) {
  return result.error ? std::string(to_string(result.error->kind)) + ": " + result.error->message : "pass";
}

}  // namespace probegate::test
