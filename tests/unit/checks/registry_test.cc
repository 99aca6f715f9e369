// What a new check type must be known to, besides its row in the registry.
#include "checks/registry.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/text.h"
#include "checks/url_parameters.h"

namespace probegate::checks {
namespace {

std::string content_of(const std::string& name) {
  std::ifstream file(SOURCE_ROOT "/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  REQUIRE(text.str().size() > 100);
  return text.str();
}

}  // namespace

TEST_CASE("Every check type is in the schema, in the reference file and in docs/checks.md") {
  const auto schema = nlohmann::json::parse(content_of("configs/probegate.schema.json"));
  const auto reference = content_of("configs/probegate.yaml");
  const auto page = content_of("docs/checks.md");
  std::set<std::string> described;
  for (const auto& [name, definition] : schema["definitions"]["types"].items()) described.insert(name);
  std::set<std::string> registered;
  for (const auto& type : check_types()) {
    const std::string name(type.name);
    CAPTURE(name);
    registered.insert(name);
    CHECK_THAT(reference, Catch::Contains("type: " + name));
    CHECK_THAT(page, Catch::Contains("`" + name + "`"));
  }
  CHECK(described == registered);
}

TEST_CASE("A key that is named like a secret is read as one") {
  const auto schema = nlohmann::json::parse(content_of("configs/probegate.schema.json"));
  for (const auto& [type, definition] : schema["definitions"]["types"].items()) {
    for (const auto& [key, description] : definition["properties"].items()) {
      const bool sounds_secret = key.find("pass") != key.npos || key.find("token") != key.npos ||
                                 key.find("secret") != key.npos || key.ends_with("key");
      CAPTURE(type, key);
      if (key == "sslkey") continue;  // libpq's word for the path of a key
      if (sounds_secret && !key.ends_with("_file")) CHECK(definition["properties"].contains(key + "_file"));
    }
  }
}

TEST_CASE("The page about addresses lists every parameter that is ignored") {
  const auto page = content_of("docs/addresses.md");
  for (const auto name : ignored_parameters()) {
    CAPTURE(name);
    CHECK_THAT(page, Catch::Contains("`" + std::string(name) + "`"));
  }
}

}  // namespace probegate::checks
