#include "config/effective.h"

#include <catch2/catch.hpp>

#include "load_fixture.h"

namespace probegate::config {
namespace {

TEST_CASE("The effective configuration loads again to itself") {
  const std::string yaml = R"(
platform: kubernetes
proxy:
  listen: ["[::1]:80", unix:/run/p.sock]
  backend: unix:/run/app.sock
  workers: auto
  timeouts: {header: 90s, idle: 1h1ms}
  limits: {header_bytes: 1536, body_bytes: 1GiB}
  websocket: {origins: [https://a.example], ping_interval: 30s}
checks:
  yes: {type: postgres, host: "no", port: 1, user: "select '$${x}' -- \"\\ \u00fc\t\n\x01", dbname: "null", tables: ["a:", "#b", "- c", "", "~", "{d}", " e "]}
  h:
    type: http
    url: http://h/$$me
    headers: {accept: "*/*", origin: ": [", Authorization_file: /dev/null}
    expect_json: {"/a b": "> 0", "/$x": "exists"}
    affects: []
auth: {url: "http://a", profile: production, precheck: h}
alerts:
  - {to: "https://alert.example", on: [ready]}
  - {to: "smtp://mail.example"}
state_file: "a # b"
)";
  const auto first = load_yaml(yaml);
  REQUIRE(first.problems == Lines{});
  const auto second = load_yaml(first.effective);
  CHECK(second.problems == Lines{});
  CHECK(second.effective == first.effective);
  const Fields& postgres = second.config.checks.at(0).fields;
  CHECK(postgres.optional_text("user") == "select '${x}' -- \"\\ ü\t\n\x01");
  CHECK(postgres.optional_text("dbname") == "null");
  CHECK(postgres.text_list("tables", {}) == Lines{"a:", "#b", "- c", "", "~", "{d}", " e "});
  CHECK(second.config.checks.at(1).fields.secret_url("url") == "http://h/$me");
  CHECK(second.config.alerts.at(1).to == "smtp://mail.example");
}

TEST_CASE("The effective environment is a file that gives the same") {
  const Environment environment = {{"PORT", "3000"}, {"REDIS_URL", "redis://r"}, {"WEBSOCKET_PATH", "/ws"}};
  const auto first = load(std::nullopt, environment, stub_types());
  const auto second = load_yaml(first.effective);
  CHECK(second.problems == Lines{});
  CHECK(second.effective == first.effective);
}

TEST_CASE("Numbers are shown in their shortest exact form") {
  const auto effective =
      load_yaml("gate: {startup_timeout: 90000ms}\nproxy: {limits: {header_bytes: 65536}}").effective;
  CHECK(effective.find("startup_timeout: 1m30s\n") != std::string::npos);
  CHECK(effective.find("header_bytes: 64KiB\n") != std::string::npos);
}

TEST_CASE("Text that another reader would take for something else is quoted") {
  for (const auto* text :
       {"",   "null", "Yes", "off", "true", "1", "1.5", "0x1", "1:30", "-a", "a: b", "a:", "#",  "a #b", "*a",
        "&a", "!a",   "@a",  "%a",  "`a",   "[", "{a}", "a,b", "'",    "|",  "> 0",  "ü",  " a", "a "}) {
    CAPTURE(text);
    CHECK(yaml_value(text) == "\"" + std::string(text) + "\"");
  }
  CHECK(yaml_value("http://h:1/p") == "http://h:1/p");
  CHECK(yaml_value("a$b") == "\"a$$b\"");
  CHECK(yaml_key("a$b") == "\"a$b\"");
}

}  // namespace
}  // namespace probegate::config
