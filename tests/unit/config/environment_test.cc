// The configuration that the environment alone makes.
#include "config/environment.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "load_fixture.h"

namespace probegate::config {
namespace {

Loaded from(const Environment& environment) { return load(std::nullopt, environment, stub_types()); }

// "postgres url=... password=..." of the check of that name.
std::string check_of(const Loaded& loaded, std::string_view name) {
  CHECK(loaded.problems == Lines{});
  for (const auto& check : loaded.config.checks) {
    if (check.name != name) continue;
    std::string text = check.type;
    for (const char* key : {"url", "host", "port", "user", "password", "dbname", "sslmode", "options"}) {
      if (!check.fields.has(key)) continue;
      const auto value = check.type == "redis" && std::string_view(key) != "user"
                             ? check.fields.secret(key)
                             : check.fields.optional_text(key);
      text += " " + std::string(key) + "=" + value.value_or("");
    }
    return text;
  }
  return "none";
}

std::string database(const Environment& environment) { return check_of(from(environment), "database"); }
std::string redis(const Environment& environment) { return check_of(from(environment), "redis"); }

std::string variables_of(const Loaded& loaded, std::string_view check) {
  for (const auto& origin : loaded.origins) {
    if (origin.check != check) continue;
    std::string names;
    for (const auto& name : origin.variables) names += (names.empty() ? "" : " ") + name;
    return names;
  }
  return "";
}

class File {
 public:
  explicit File(std::string_view content) {
    std::string pattern = std::filesystem::temp_directory_path() / "probegate-environment-XXXXXX";
    close(mkstemp(pattern.data()));
    path = pattern;
    std::ofstream(path) << content;
  }
  ~File() { std::filesystem::remove(path); }
  std::string path;
};

}  // namespace

TEST_CASE("DATABASE_URL makes the check that its scheme says") {
  CHECK(database({{"DATABASE_URL", "postgresql+asyncpg://h/d"}}) == "postgres url=postgresql+asyncpg://h/d");
  CHECK(database({{"DATABASE_URL", "postgis://h/d"}}) == "postgres url=postgis://h/d");
  for (const char* url :
       {"mysql://h/d", "mysql2://h/d", "mariadb://h/d", "mysql+pymysql://h/d", "MySQL://h/d"}) {
    CHECK(database({{"DATABASE_URL", url}}) == "mysql url=" + std::string(url));
  }
}

TEST_CASE("A database may be named by a file, by another variable, or in parts") {
  const File file("  mysql://u:p@h/d\n\n");
  const auto by_file = from({{"DATABASE_URL_FILE", file.path}});
  CHECK(by_file.problems == Lines{});
  REQUIRE(by_file.config.checks.size() == 1);
  CHECK(by_file.config.checks[0].type == "mysql");
  CHECK(by_file.config.checks[0].fields.secret_url("url") == "mysql://u:p@h/d");
  CHECK(database({{"POSTGRES_URL", "postgres://h/d"}}) == "postgres url=postgres://h/d");
  CHECK(database({{"PGHOST", "h"},
                  {"PGPORT", "6432"},
                  {"PGUSER", "u"},
                  {"PGPASSWORD", "p"},
                  {"PGDATABASE", "d"},
                  {"PGSSLMODE", "require"}}) ==
        "postgres host=h port=6432 user=u password=p dbname=d sslmode=require");
  CHECK(database({{"DB_HOST", "h"},
                  {"DB_PORT", "5432"},
                  {"DB_USER", "u"},
                  {"DB_PASSWORD", "p"},
                  {"DB_NAME", "d"}}) == "postgres host=h port=5432 user=u password=p dbname=d");
  CHECK(database({{"DB_HOST", "h"}}) == "postgres host=h");
  CHECK(database({{"DB_HOST", "h"}, {"DB_PORT", "tcp://10.0.0.1:5432"}}) == "postgres host=h");
}

TEST_CASE("DB_* is postgres unless the port or DB_CONNECTION says mysql") {
  CHECK(from({{"DB_HOST", "h"}, {"DB_PORT", "3306"}}).config.checks.at(0).type == "mysql");
  CHECK(from({{"DB_HOST", "h"}, {"DB_CONNECTION", "mysql"}}).config.checks.at(0).type == "mysql");
  CHECK(from({{"DB_HOST", "h"}, {"DB_CONNECTION", "MariaDB"}}).config.checks.at(0).type == "mysql");
  CHECK(from({{"DB_HOST", "h"}, {"DB_CONNECTION", "pgsql"}, {"DB_PORT", "3306"}}).config.checks.at(0).type ==
        "postgres");
}

TEST_CASE("Redis may be named by a file or in parts") {
  CHECK(redis({{"REDIS_HOST", "h"}}) == "redis url=redis://h");
  CHECK(redis({{"REDIS_HOST", "h"}, {"REDIS_PORT", "6380"}, {"REDIS_PASSWORD", "p/@#"}, {"REDIS_DB", "2"}}) ==
        "redis url=redis://h:6380/2 password=p/@#");
  CHECK(redis({{"REDIS_HOST", "h"}, {"REDIS_PORT", "tcp://10.0.0.1:6379"}, {"REDIS_PASSWORD", ""}}) ==
        "redis url=redis://h");
  CHECK(redis({{"REDIS_HOST", "::1"}, {"REDIS_PORT", "1"}, {"REDIS_TLS", "true"}}) ==
        "redis url=rediss://[::1]:1");
  CHECK(redis({{"REDIS_HOST", "/run/redis.sock"}}) == "redis url=unix:/run/redis.sock");
  const File file("redis://h\n");
  CHECK(from({{"REDIS_URL_FILE", file.path}}).config.checks.at(0).fields.secret_url("url") == "redis://h");
}

TEST_CASE("The first way to name a database wins, and a warning names the others") {
  const Environment all = {{"DATABASE_URL", "postgres://a/d"},
                           {"POSTGRES_URL", "postgres://b/d"},
                           {"PGHOST", "c"},
                           {"DB_HOST", "e"},
                           {"DB_PORT", "3306"},
                           {"REDIS_URL", "redis://f"},
                           {"REDIS_HOST", "g"}};
  const auto loaded = from(all);
  CHECK(check_of(loaded, "database") == "postgres url=postgres://a/d");
  CHECK(loaded.warnings ==
        Lines{"DATABASE_URL defines the check database; POSTGRES_URL, PGHOST, DB_HOST, DB_PORT are "
              "ignored",
              "REDIS_URL defines the check redis; REDIS_HOST is ignored"});
  Environment rest = all;
  rest.erase("DATABASE_URL");
  CHECK(database(rest) == "postgres url=postgres://b/d");
  rest.erase("POSTGRES_URL");
  CHECK(database(rest) == "postgres host=c");
  rest.erase("PGHOST");
  CHECK(check_of(from(rest), "database").starts_with("mysql"));
}

TEST_CASE("It is told which variables made which check") {
  const auto loaded =
      from({{"DB_HOST", "h"}, {"DB_USER", "u"}, {"DATABASE_TABLES", "a"}, {"REDIS_URL", "redis://r"}});
  CHECK(variables_of(loaded, "database") == "DB_HOST DB_USER DATABASE_TABLES");
  CHECK(variables_of(loaded, "redis") == "REDIS_URL");
}

TEST_CASE("Blanks and line ends around a value are no part of it, quotes are an error") {
  CHECK(database({{"DATABASE_URL", " postgres://h/d\r\n"}}) == "postgres url=postgres://h/d");
  CHECK(from({{"PORT", "3000\n"}, {"REDIS_URL", "redis://h"}}).config.proxy.listen.at(0).port == 3000);
  for (const char* quoted : {"\"postgres://u:geheim@h/d\"", "'postgres://u:geheim@h/d'"}) {
    const auto loaded = from({{"DATABASE_URL", quoted}});
    REQUIRE(loaded.problems.size() == 1);
    CHECK_THAT(loaded.problems[0], Catch::StartsWith("environment: DATABASE_URL: has quotes around it"));
    CHECK_THAT(loaded.problems[0], !Catch::Contains("geheim"));
  }
  CHECK(problems_of("checks: {a: {type: redis, url: \"'redis://h'\"}}").at(0).find("has quotes") !=
        std::string::npos);
}

TEST_CASE("A line end behind a password is no part of it") {
  const auto loaded =
      load_yaml("checks: {a: {type: postgres, host: h, password: \"${PW}\"}}", {{"PW", "geheim \r\n"}});
  CHECK(loaded.problems == Lines{});
  CHECK(loaded.config.checks.at(0).fields.secret("password") == "geheim ");
}

TEST_CASE("A file with the address that cannot be read names the variable, not the text") {
  const auto loaded = from({{"DATABASE_URL_FILE", "postgres://u:geheim@h/d"}});
  CHECK(loaded.problems == Lines{"environment: DATABASE_URL_FILE: must be the path of a file; the value is "
                                 "not shown: cannot read: No such file or directory"});
  const auto file = problems_of("checks: {a: {type: redis, url: \"redis://h\", password_file: geheim}}");
  CHECK(file == Lines{"f.yaml:1:60: checks.a.password_file: must be the path of a file; the value is not "
                      "shown: cannot read: No such file or "
                      "directory"});
}

TEST_CASE("LOG_LEVEL is read in any case and with the words of other loggers") {
  const auto level = [](const char* word) { return from({{"LOG_LEVEL", word}}).config.log.level; };
  CHECK(level("INFO") == LogLevel::info);
  CHECK(level("Warning") == LogLevel::warn);
  CHECK(level("trace") == LogLevel::debug);
  CHECK(level("CRITICAL") == LogLevel::error);
  CHECK(level(" debug\n") == LogLevel::debug);
  CHECK(from({{"LOG_LEVEL", "loud"}}).problems.size() == 1);
}

TEST_CASE("Without a check there is one warning, which names what looks as if it was meant") {
  CHECK(from({}).warnings == Lines{"no checks: the gate opens at once"});
  const auto loaded = from({{"DATABASE_URI", "x"},
                            {"REDIS_TLS_URL", "x"},
                            {"DATABSE_URL", "x"},
                            {"WS_PATH", "/ws"},
                            {"PGUSER", "u"},
                            {"PORT", "1"},
                            {"HOME", "/"},
                            {"REDIS_SERVICE_HOST", "x"}});
  REQUIRE(loaded.warnings.size() == 1);
  CHECK_THAT(loaded.warnings[0],
             Catch::StartsWith("no checks: the gate opens at once; DATABASE_URI, DATABSE_URL, "
                               "PGUSER, REDIS_TLS_URL, WS_PATH are set"));
  CHECK(from({{"REDIS_URL", "redis://h"}, {"DATABASE_URI", "x"}}).warnings.empty());
}

TEST_CASE("An empty list of addresses means no proxy") {
  const auto loaded = load_yaml("proxy: {listen: []}", {{"PORT", "3000"}});
  CHECK(loaded.problems == Lines{});
  CHECK(loaded.config.proxy.listen.empty());
  CHECK(problems_of("probes: {listen: []}").size() == 1);
}

TEST_CASE("What may hold a secret is not shown by its look but by its key") {
  const auto loaded = load_yaml(R"(
checks:
  a: {type: tcp, address: "h:1", send: geheim}
  b: {type: http, url: "http://h/?pwd=geheim&jwt=geheim&code=geheim", body: geheim, headers: {x-odd: geheim, accept: a}}
  c: {type: postgres, url: "postgres://h/d?application_name=geheim", query: geheim}
  d: {type: websocket, url: "/ws?ticket=geheim", send: geheim}
)");
  CHECK(loaded.problems == Lines{});
  CHECK_THAT(loaded.effective, !Catch::Contains("geheim"));
  CHECK_THAT(loaded.effective, Catch::Contains("accept: a"));
}

}  // namespace probegate::config
