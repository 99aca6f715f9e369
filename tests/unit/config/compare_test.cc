#include "config/compare.h"

#include <catch2/catch.hpp>

#include "load_fixture.h"

namespace probegate::config {
namespace {

std::vector<std::string> changes(const std::string& before, const std::string& after) {
  const auto a = load_yaml(before, {{"WORD", "one"}});
  const auto b = load_yaml(after, {{"WORD", "one"}});
  REQUIRE(a.problems == Lines{});
  REQUIRE(b.problems == Lines{});
  return changed_keys(a.values, b.values);
}

std::string question(const std::string& keys) {
  const auto loaded = load_yaml("checks: {other: {type: tcp}, it: {" + keys + "}}");
  REQUIRE(loaded.problems == Lines{});
  return loaded.config.checks.at(1).question;
}

TEST_CASE("Two ways to write the same differ in nothing") {
  CHECK(changes("{}", "proxy: {workers: 1, timeouts: {header: 10000ms}}\ndrain: {}") == Lines{});
  CHECK(changes("proxy: {timeouts: {header: 10s}, limits: {}}",
                "proxy: {limits: {connections: 10000}, timeouts: {header: 10000ms}}") == Lines{});
  CHECK(changes("state_file: one", "state_file: ${WORD}") == Lines{});
}

TEST_CASE("Changed keys are named with their sections, and never their values") {
  CHECK(changes("checks: {a: {type: redis, url: 'redis://:old@h', fall: 2}}",
                "checks: {a: {type: redis, url: 'redis://:new@h'}}\nlog: {level: debug}") ==
        Lines{"checks.a.fall", "checks.a.url", "log.level"});
  CHECK(changes("alerts: [{to: 'https://h/a'}]", "alerts: [{to: 'https://h/b'}]") == Lines{"alerts[0].to"});
}

TEST_CASE("The order of checks is a change of its own") {
  CHECK(changes("checks: {a: {type: tcp}, b: {type: tcp}}", "checks: {b: {type: tcp}, a: {type: tcp}}") ==
        Lines{"checks"});
}

TEST_CASE("Pace, judgement and effect are not part of a check's question") {
  const auto plain = question("type: redis, url: 'redis://h'");
  CHECK(question(
            "type: redis, url: 'redis://h', interval: 1s, startup_interval: 1s, timeout: 3s, rise: 2, fall: "
            "9, initial_delay: 1s, slow: 1s, stable_for: 1s, affects: [], needs: [other]") == plain);
}

TEST_CASE("Whatever else a check is given makes another question") {
  const auto plain = question("type: redis, url: 'redis://h'");
  CHECK(question("type: redis, url: 'redis://h', write: false") != plain);
  CHECK(question("type: redis, url: 'redis://h', tls: {verify: false}") != plain);
  CHECK(question("type: redis, url: 'redis://h', tls: {}") != plain);
  CHECK(question("type: redis, url: 'redis://:secret@h'") !=
        question("type: redis, url: 'redis://:geheim@h'"));
  CHECK(question("type: redis, url: 'redis://h', password: a") !=
        question("type: redis, url: 'redis://h', password: b"));
  CHECK(question("type: http, url: 'http://h', headers: {authorization: a}") !=
        question("type: http, url: 'http://h', headers: {authorization: b}"));
}

}  // namespace
}  // namespace probegate::config
