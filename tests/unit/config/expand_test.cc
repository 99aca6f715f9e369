#include "config/expand.h"

#include <catch2/catch.hpp>

#include "load_fixture.h"

namespace probegate::config {
namespace {

const Environment kEnvironment = {{"A", "a"}, {"EMPTY", ""}, {"YAML", "x, y: [z]"}, {"DOLLAR", "${A}$$"}};

TEST_CASE("Variables expand in the middle of text, each on its own") {
  CHECK(expand("", kEnvironment) == "");
  CHECK(expand("no variable", kEnvironment) == "no variable");
  CHECK(expand("<${A}${A}>", kEnvironment) == "<aa>");
  CHECK(expand("${EMPTY}", kEnvironment) == "");
  CHECK(expand("${UNSET:-d:-e}", kEnvironment) == "d:-e");
  CHECK(expand("${UNSET:-}", kEnvironment) == "");
  CHECK(expand("${EMPTY:-d}", kEnvironment) == "d");
  CHECK(expand("${A:-d}", kEnvironment) == "a");
  CHECK(expand("${A:?m}", kEnvironment) == "a");
}

TEST_CASE("Two dollars are one, and a dollar before anything but a brace is itself") {
  CHECK(expand("$$", kEnvironment) == "$");
  CHECK(expand("$${A}", kEnvironment) == "${A}");
  CHECK(expand("pa$word$", kEnvironment) == "pa$word$");
  CHECK(expand("$$$${", kEnvironment) == "$${");
  CHECK(expand("${UNSET:-a$$b}", kEnvironment) == "a$b");
}

TEST_CASE("An expanded value is never expanded again") {
  CHECK(expand("${DOLLAR}", kEnvironment) == "${A}$$");
}

TEST_CASE("Unset variables without a default are errors that name them") {
  CHECK(expand("${UNSET}", kEnvironment).error().message ==
        "the environment variable UNSET is not set; set it, or write ${UNSET:-default}");
  CHECK(expand("${UNSET:?because}", kEnvironment).error().message ==
        "the environment variable UNSET is not set: because");
  CHECK(expand("${EMPTY:?because}", kEnvironment).error().message ==
        "the environment variable EMPTY is not set: because");
}

TEST_CASE("Malformed expansions are errors") {
  for (const auto* wrong :
       {"${", "${A", "${}", "${1}", "${A B}", "${A:}", "${A:+x}", "${A-x}", "${A:-${B}}", "${:-x}"}) {
    CAPTURE(wrong);
    CHECK_FALSE(expand(wrong, kEnvironment));
  }
}

TEST_CASE("An expanded value is text, whatever it looks like, and can never become syntax") {
  const auto loaded = load_yaml("state_file: ${YAML}", kEnvironment);
  CHECK(loaded.problems == Lines{});
  CHECK(loaded.config.state_file == "x, y: [z]");
  CHECK(load_yaml("state_file: ${N}", {{"N", "null"}}).config.state_file == "null");
}

TEST_CASE("An expanded value is read by the type of its key") {
  const auto loaded =
      load_yaml("proxy: {workers: \"${W}\"}\ngate: {startup_timeout: \"${T}\"}", {{"W", "3"}, {"T", "5m"}});
  CHECK(loaded.problems == Lines{});
  CHECK(loaded.config.proxy.workers == 3);
  CHECK(loaded.config.gate.startup_timeout == std::chrono::minutes(5));
}

TEST_CASE("Keys are not expanded") {
  CHECK(problems_of("${A}: 1", kEnvironment).at(0).starts_with("f.yaml:1:1: ${A}: unknown key"));
}

}  // namespace
}  // namespace probegate::config
