#include "loop/resolver.h"

#include <catch2/catch.hpp>
#include <memory>
#include <optional>

#include "support/test_loop.h"

namespace probegate::test {
namespace {

using loop::Resolver;

std::optional<Resolver::Answer> resolve(TestLoop& loop, const Endpoint& endpoint) {
  Resolver resolver(loop);
  std::optional<Resolver::Answer> result;
  const auto query = resolver.resolve(endpoint, [&](Resolver::Answer answer) { result = std::move(answer); });
  CHECK_FALSE(result);  // never before the call returns
  loop.until([&] { return result.has_value(); }, 15s);
  return result;
}

}  // namespace

TEST_CASE("Resolver answers literals and paths without asking anybody") {
  TestLoop loop;
  const std::string text = GENERATE("127.0.0.1:80", "[::1]:443", "unix:/run/db.sock");
  const auto answer = resolve(loop, *Endpoint::parse(text));
  REQUIRE(answer);
  REQUIRE(*answer);
  REQUIRE((*answer)->size() == 1);
  CHECK((*answer)->front().to_string() == text);
}

TEST_CASE("Resolver finds localhost, with the port that was asked for") {
  TestLoop loop;
  const auto answer = resolve(loop, Endpoint::tcp("localhost", 6379));
  REQUIRE(answer);
  REQUIRE(*answer);
  bool v4 = false;
  for (const auto& address : **answer) {
    CHECK(address.port() == 6379);
    CHECK((address.ip() == "127.0.0.1" || address.ip() == "::1"));
    v4 = v4 || address.ip() == "127.0.0.1";
  }
  CHECK(v4);
}

TEST_CASE("Resolver names the name it could not resolve") {
  TestLoop loop;
  const std::string name =
      GENERATE(std::string(64, 'a') + ".invalid", std::string("no such host"), std::string(""));
  CAPTURE(name);
  const auto answer = resolve(loop, Endpoint::tcp(name, 1));
  REQUIRE(answer);
  REQUIRE_FALSE(*answer);
  CHECK_THAT(answer->error().message, Catch::StartsWith("cannot resolve " + name + ": "));
}

TEST_CASE("Resolver's query may be dropped at any time; nothing is called back") {
  TestLoop loop;
  Resolver resolver(loop);
  const std::string name = GENERATE("127.0.0.1", "localhost", "no-such-host.invalid");
  const int turns = GENERATE(0, 1, 2, 5);
  int answers = 0;
  auto query = resolver.resolve(Endpoint::tcp(name, 1), [&](Resolver::Answer) { ++answers; });
  loop.settle(turns);
  const int before = answers;
  query.reset();
  loop.settle();
  CHECK(answers == before);
}

TEST_CASE("Resolver's query may be dropped inside its callback, and the next one made there") {
  TestLoop loop;
  Resolver resolver(loop);
  const std::string name = GENERATE("127.0.0.1", "localhost");
  std::unique_ptr<Resolver::Query> query;
  int answers = 0;
  std::function<void(Resolver::Answer)> again = [&](Resolver::Answer answer) {
    CHECK(answer);
    query.reset();
    if (++answers < 3) query = resolver.resolve(Endpoint::tcp(name, 1), again);
  };
  query = resolver.resolve(Endpoint::tcp(name, 1), again);
  CHECK(loop.until([&] { return answers == 3; }));
}

TEST_CASE("Resolver keeps many queries apart") {
  TestLoop loop;
  Resolver resolver(loop);
  std::vector<std::unique_ptr<Resolver::Query>> queries;
  int good = 0, bad = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string name = i % 2 == 0 ? "localhost" : std::string(64, 'a') + ".invalid";
    queries.push_back(
        resolver.resolve(Endpoint::tcp(name, 1), [&](Resolver::Answer answer) { ++(answer ? good : bad); }));
  }
  REQUIRE(loop.until([&] { return good + bad == 200; }));
  CHECK(good == 100);
}

}  // namespace probegate::test
