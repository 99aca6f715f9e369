#include "proxy/access_log.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bare_environment.h"

namespace probegate::test {
namespace {

using metrics::Reason;
using nlohmann::json;

struct Told {
  void refuse(int times, Reason reason) {
    for (int i = 0; i < times; ++i) log.refused({}, proxy::Refusal::of(reason, "so"));
  }
  std::vector<json> lines() {
    bare.log.flush(10s);
    std::string text(1 << 20, '\0');
    text.resize(static_cast<std::size_t>(::pread(bare.log_fd, text.data(), text.size(), 0)));
    std::vector<json> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
    return lines;
  }
  std::size_t single(Reason reason) {
    std::size_t count = 0;
    for (const auto& line : lines()) {
      if (!line.contains("more") && line.at("reason") == metrics::to_string(reason)) ++count;
    }
    return count;
  }
  std::uint64_t more(Reason reason) {
    std::uint64_t count = 0;
    for (const auto& line : lines()) {
      if (line.contains("more") && line.at("reason") == metrics::to_string(reason))
        count += line.at("more").get<std::uint64_t>();
    }
    return count;
  }

  BareEnvironment bare{Endpoint::tcp("127.0.0.1", 1)};
  Duration window = 60s;
  proxy::AccessLog log{bare.environment, window};
};

}  // namespace

TEST_CASE("Of the refusals of a window the first are told one by one, and the others as their number") {
  Told told{.window = 50ms};
  told.refuse(10, Reason::gate_closed);
  CHECK(told.single(Reason::gate_closed) == 10);
  told.refuse(990, Reason::gate_closed);
  CHECK(told.single(Reason::gate_closed) == 10);
  REQUIRE(told.bare.loop.until([&] { return told.more(Reason::gate_closed) > 0; }));
  CHECK(told.more(Reason::gate_closed) == 990);
  CHECK(told.lines().back().at("message") == "suppressed 990 similar lines: gate_closed");
  CHECK(told.lines().back().at("within_seconds").get<double>() >= 0.05);
}

TEST_CASE("After a window refusals are told one by one again") {
  Told told{.window = 50ms};
  told.refuse(11, Reason::gate_closed);
  REQUIRE(told.bare.loop.until([&] { return told.more(Reason::gate_closed) == 1; }));
  told.refuse(1, Reason::gate_closed);
  CHECK(told.single(Reason::gate_closed) == 11);
}

TEST_CASE("A flood of one reason hides no refusal of another") {
  Told told;
  told.refuse(1000, Reason::hold_full);
  told.refuse(1, Reason::backend_timeout);
  CHECK(told.single(Reason::hold_full) == 10);
  CHECK(told.single(Reason::backend_timeout) == 1);
}

TEST_CASE("What was left out is told at the latest when the loop ends") {
  Told told;
  {
    proxy::AccessLog log(told.bare.environment, 60s);
    for (int i = 0; i < 25; ++i) log.refused({}, proxy::Refusal::of(Reason::draining, "so"));
  }
  CHECK(told.more(Reason::draining) == 15);
}

TEST_CASE("A proxy that is told to be quiet says nothing of refusals, counted ones included") {
  Told told;
  auto quiet = std::make_shared<config::Config>(*told.bare.environment.config);
  quiet->log.access = config::AccessLines::none;
  told.bare.environment.config = quiet;
  told.refuse(100, Reason::gate_closed);
  CHECK(told.lines().empty());
}

}  // namespace probegate::test
