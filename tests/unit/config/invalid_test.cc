// Every file of invalid/ ends with the lines its loading must give: "# expect: LINE:COLUMN: key: message".
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "load_fixture.h"

namespace probegate::config {
namespace {

const Environment kEnvironment = {{"A", "a"}, {"EMPTY", ""}, {"WORD", "word"}};

std::vector<std::filesystem::path> invalid_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(INVALID_DIR)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

Lines expected_lines(const std::filesystem::path& file) {
  constexpr std::string_view kMark = "# expect: ";
  Lines lines;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with(kMark)) lines.push_back(file.string() + ":" + line.substr(kMark.size()));
  }
  return lines;
}

TEST_CASE("Every invalid file gives exactly its expected lines") {
  const auto files = invalid_files();
  REQUIRE(files.size() > 30);
  for (const auto& file : files) {
    const auto expected = expected_lines(file);
    REQUIRE_FALSE(expected.empty());
    CHECK(load(file.string(), kEnvironment, stub_types()).problems == expected);
  }
}

}  // namespace
}  // namespace probegate::config
