// The addresses of databases that people have, as a table, and what no password may do to them.
#include <catch2/catch.hpp>
#include <fstream>
#include <random>
#include <sstream>

#include "base/text.h"
#include "base/url.h"
#include "checks/mysql_address.h"
#include "checks/postgres_address.h"
#include "checks/redis_address.h"
#include "checks/url_parameters.h"
#include "config/schemes.h"
#include "config/secrets.h"

namespace probegate::checks {
namespace {

std::string item(const std::string& name, const std::string& value) {
  return value.empty() ? "" : " " + name + "=" + value;
}

std::string tls_item(bool tls, bool verified) {
  return !tls ? "" : verified ? " tls=verified" : " tls=encrypted";
}

std::string meaning(const PostgresAddress& address) {
  std::string text = "postgres";
  for (const auto& [keyword, value] : address.parameters) text += item(keyword, value);
  std::string schemas;
  for (const auto& schema : address.search_path) schemas += (schemas.empty() ? "" : ",") + schema;
  return text + item("search_path", schemas);
}

std::string meaning(const MysqlAddress& address) {
  return "mysql" + item("address", address.endpoint.to_string()) + item("user", address.user) +
         item("password", address.password) + item("database", address.database) +
         tls_item(address.tls, address.verify) + item("ca_file", address.ca_file.value_or(""));
}

std::string meaning(const RedisAddress& address) {
  std::string hosts;
  for (const auto& host : address.url.hosts) {
    hosts += (hosts.empty() ? "" : ",") + Endpoint::tcp(host.name, host.port.value_or(0)).to_string();
  }
  return "redis" + item("mode", address.mode) + item("hosts", hosts) + item("socket", address.socket) +
         item("path", address.url.path) + item("user", address.user) +
         (address.password ? " password=" + *address.password : "") +
         (address.database ? " database=" + std::to_string(*address.database) : "") +
         tls_item(address.tls, address.verify.value_or(true)) + item("ca_file", address.ca_file.value_or(""));
}

template <typename Address>
std::string meaning(const Result<Address>& address) {
  return address ? meaning(*address) : "! " + address.error().message;
}

// As the environment alone reads a variable.
std::string read(std::string_view variable, std::string_view text) {
  const auto address = config::plain_address(text);
  if (!address) return "! " + address.error().message;
  if (variable == "REDIS_URL") return meaning(read_redis_address(*address));
  return config::check_type_of_address(*address) == "mysql" ? meaning(read_mysql_address(*address))
                                                            : meaning(read_postgres_address(*address));
}

struct Row {
  std::string variable;
  std::string text;
  std::string meaning;
};

std::vector<Row> table() {
  std::vector<Row> rows;
  std::ifstream file(ADDRESSES);
  for (std::string line; std::getline(file, line);) {
    const auto parts = split(line, '\t');
    if (line.starts_with('#') || parts.size() != 3) continue;
    std::string text(parts[1]);
    if (text.ends_with("\\n")) text.replace(text.size() - 2, 2, "\n");
    rows.push_back({std::string(parts[0]), text, std::string(parts[2])});
  }
  return rows;
}

bool shows_a_part(std::string_view shown, std::string_view secret, std::string_view known) {
  for (std::size_t at = 0; at + 4 <= secret.size(); ++at) {
    const auto part = secret.substr(at, 4);
    if (shown.find(part) != shown.npos && known.find(part) == known.npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("Every address that people have is read as it is meant, or the error says what to write") {
  const auto rows = table();
  REQUIRE(rows.size() >= 121);
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto told = read(row.variable, row.text);
    if (row.meaning.starts_with('!')) {
      CHECK_THAT(told, Catch::StartsWith(row.meaning));
      CHECK_THAT(told, !Catch::Contains("Wq7v") && !Catch::Contains("R2xT"));
    } else {
      CHECK(told == row.meaning);
    }
  }
}

TEST_CASE("Parameters that only a driver knows are ignored, others are named") {
  for (const auto name : ignored_parameters()) {
    CAPTURE(name);
    CHECK(read_postgres_address("postgres://h/d?" + std::string(name) + "=1"));
    CHECK(read_mysql_address("mysql://h/d?" + std::string(name) + "=1"));
    CHECK(read_redis_address("redis://h/0?" + std::string(name) + "=1"));
  }
  CHECK(read_postgres_address("postgres://h/d?statementCacheSize=0&prepare-threshold=0"));
  for (const auto& told :
       {read("DATABASE_URL", "postgres://h/d?trust_me=1"), read("DATABASE_URL", "mysql://h/d?trust_me=1"),
        read("REDIS_URL", "redis://h/0?trust_me=1")}) {
    CHECK_THAT(told, Catch::Contains("the parameter trust_me is unknown"));
  }
}

TEST_CASE("A parameter behind a password is not named, as it may be the password's tail") {
  for (const auto& told : {read("DATABASE_URL", "postgres://h/d?password=ab&s3cret=1"),
                           read("DATABASE_URL", "mysql://h/d?password=ab&s3cret"),
                           read("REDIS_URL", "redis://h/0?password=ab&s3cret"),
                           read("DATABASE_URL", "host=h password=ab s3cret=1")}) {
    CHECK_THAT(told, Catch::StartsWith("! ") && !Catch::Contains("s3cret"));
  }
}

TEST_CASE("What TLS is asked for in a MySQL URL is obeyed") {
  CHECK(read("DATABASE_URL", "mysql://h/d?useSSL=false") == "mysql address=h:3306 database=d");
  CHECK(read("DATABASE_URL", "mysql://h/d?sslMode=VERIFY_IDENTITY") ==
        "mysql address=h:3306 database=d tls=verified");
  CHECK(read("DATABASE_URL", "mysql://h/d?tls=skip-verify") ==
        "mysql address=h:3306 database=d tls=encrypted");
  CHECK_THAT(read("DATABASE_URL", "mysql://h/d?ssl-mode=VERIFY_CA"), Catch::Contains("ca_file"));
  CHECK_THAT(read("DATABASE_URL", "mysql://h/d?ssl-mode=odd"), Catch::Contains("ssl-mode"));
}

TEST_CASE("The schema of a PostgreSQL URL is the search path") {
  for (const char* name : {"schema", "currentSchema", "search_path"}) {
    const auto address =
        read_postgres_address("postgres://h/d?" + std::string(name) + "=app,%22Odd%20One%22");
    REQUIRE(address);
    CHECK(address->search_path == std::vector<std::string>{"app", "Odd One"});
  }
  CHECK_FALSE(read_postgres_address("postgres://h/d?schema=a%22;drop"));
}

TEST_CASE("libpq's keywords are read with its quotes") {
  CHECK(read("DATABASE_URL", R"(host=h password='a \'b\\c' user = u dbname='')") ==
        "postgres host=h password=a 'b\\c user=u");
  CHECK_THAT(read("DATABASE_URL", "host=h password='s3cret"),
             Catch::StartsWith("! ") && !Catch::Contains("s3cret"));
}

TEST_CASE("JDBC, ADO.NET and Go addresses of other kinds of server are refused by name") {
  CHECK_THAT(read("DATABASE_URL", "jdbc:sqlserver://h:1433;databaseName=d"), Catch::Contains("SQL Server"));
  CHECK_THAT(read("DATABASE_URL", "jdbc:mysql://u:Wq7v@h/d?useSSL=true"),
             Catch::Contains("mysql://USER:PASSWORD@h/d?useSSL=true"));
}

TEST_CASE("No error about an address shows a part of its password") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int sample = 0; sample < 3'000; ++sample) {
    std::string password(std::uniform_int_distribution<std::size_t>(4, 24)(random), ' ');
    for (char& c : password) c = static_cast<char>(std::uniform_int_distribution<int>(' ', '~')(random));
    for (const auto& [variable, before, after] : std::vector<std::array<std::string, 3>>{
             {"DATABASE_URL", "postgresql://u:", "@db:5432/app"},
             {"DATABASE_URL", "postgresql://db/app?user=u&password=", ""},
             {"DATABASE_URL", "postgresql://db/app?sslmode=require&password=", "&pool_timeout=2"},
             {"DATABASE_URL", "host=db user=u password=", " dbname=app"},
             {"DATABASE_URL", "mysql://u:", "@db:3306/app"},
             {"DATABASE_URL", "mysql://db/app?password=", "&user=u"},
             {"DATABASE_URL", "jdbc:postgresql://db:5432/app?user=u&password=", ""},
             {"DATABASE_URL", "jdbc:mysql://u:", "@db/app"},
             {"DATABASE_URL", "Host=db;Port=5432;Username=u;Password=", ";Database=app"},
             {"DATABASE_URL", "u:", "@tcp(db:3306)/app?parseTime=true"},
             {"REDIS_URL", "redis://:", "@redis:6379/0"},
             {"REDIS_URL", "redis://u:", "@redis:6379/0?protocol=3"},
             {"REDIS_URL", "redis+sentinel://:", "@h1:26379,h2/mymaster"},
             {"REDIS_URL", "unix://u:", "@/run/redis.sock?db=1"},
             {"REDIS_URL", "unix:///run/redis.sock?password=", "&db=1"},
             {"REDIS_URL", "cache.example.net:6380,password=", ",ssl=True"},
             {"REDIS_URL", "", ""}}) {
      const auto told = read(variable, before + password + after);
      if (!told.starts_with('!')) continue;
      const auto known = read(variable, before + "x" + after) + " " + read(variable, before + "@/" + after) +
                         " " + read(variable, before + "%" + after) + std::string(kEscapes);
      CAPTURE(before, password, told);
      REQUIRE_FALSE(shows_a_part(told, password, known + before + after));
    }
  }
}

}  // namespace probegate::checks
