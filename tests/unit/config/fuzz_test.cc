// Whatever stands in the file, loading ends with a configuration or with problems. Seeds are fixed: a failure
// repeats.
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <random>

#include "load_fixture.h"

namespace probegate::config {
namespace {

std::string reference() {
  std::ifstream stream(REFERENCE_FILE);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Loads, and loads what came out again: no crash, and nothing that was accepted is refused when it is
// printed, but for secrets, which are asked for again.
void survive(const std::string& text) {
  const auto loaded = load_yaml(text);
  if (!loaded.problems.empty()) return;
  const auto again = load_yaml(loaded.effective);
  CAPTURE(text, loaded.effective);
  for (const auto* mark : {"***", "was not printed"}) {
    if (loaded.effective.find(mark) != std::string::npos) return;
  }
  CHECK(again.problems == Lines{});
  CHECK(again.effective == loaded.effective);
}

TEST_CASE("Random bytes are refused or read, never a crash") {
  std::mt19937 random(1);
  for (int round = 0; round < 1000; ++round) {
    std::string text(random() % 200, ' ');
    for (char& c : text) c = static_cast<char>(random());
    survive(text);
  }
}

TEST_CASE("Random YAML punctuation is refused or read, never a crash") {
  constexpr std::string_view kPieces[] = {
      "proxy", ":", ": ", "\n", "  ",     "- ", "[",         "]",  "{",     "}",     ",",   "\"",
      "'",     "|", ">",  "&a", "*a",     "!t", "#",         "? ", "---\n", "...\n", "%",   "\t",
      "${A",   "}", "$$", "~",  "checks", "a",  "type: tcp", "0",  "<<",    "\\",    "\r\n"};
  std::mt19937 random(2);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (auto count = random() % 30; count > 0; --count) text += kPieces[random() % std::size(kPieces)];
    survive(text);
  }
}

TEST_CASE("A damaged reference file is refused or read, never a crash") {
  const auto whole = reference();
  REQUIRE(whole.size() > 1000);
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    auto text = whole;
    for (auto count = random() % 4 + 1; count > 0 && !text.empty(); --count) {
      const auto at = random() % text.size();
      switch (random() % 4) {
        case 0: text[at] = static_cast<char>(random() % 128); break;
        case 1: text.erase(at, random() % 20); break;
        case 2: text.insert(at, whole.substr(random() % whole.size(), random() % 20)); break;
        default: text.resize(at + 1); break;
      }
    }
    survive(text);
  }
}

TEST_CASE("Deep nesting and large documents end quickly with one clear problem") {
  const auto repeated = [](std::string_view piece, std::size_t count) {
    std::string text;
    while (count-- > 0) text += piece;
    return text;
  };
  CHECK(problems_of(repeated("[", 500'000)).size() == 1);
  CHECK(problems_of(repeated("{a: ", 100'000)).size() == 1);
  CHECK(problems_of(repeated("- ", 200'000)).at(0) == "f.yaml:1:65: nested too deeply");
  CHECK(problems_of("proxy: [" + repeated("a,", 400'000) + "]").at(0).ends_with("too many values"));
  CHECK(problems_of("proxy: [" + repeated("\"a\": \"b\",", 90'000) + "]").at(0).ends_with("too many values"));
  CHECK(problems_of("proxy: " + repeated("[", 40) + repeated("]", 40)).at(0) ==
        "f.yaml:1:39: nested too deeply");
  std::string keys;
  for (int key = 0; key < 60'000; ++key) keys += "k" + std::to_string(key) + ": 1\n";
  CHECK(problems_of(keys).at(0).ends_with("too many values"));
  std::string stairs;
  for (int depth = 0; depth < 1000; ++depth)
    stairs += std::string(static_cast<std::size_t>(depth), ' ') + "a:\n";
  CHECK(problems_of(stairs).at(0) == "f.yaml:33:33: nested too deeply");
}

}  // namespace
}  // namespace probegate::config
