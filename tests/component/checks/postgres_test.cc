#include <catch2/catch.hpp>

#include "tests/component/checks/check_fixture.h"
#include "tests/component/checks/private_server.h"

namespace probegate::test {
namespace {

CheckPlan postgres_plan(const std::string& own_keys) {
  return plan_of(checks::read_postgres, "postgres", own_keys);
}

// One server for all tests of this file: making one takes a second.
const PrivatePostgres& server() {
  static const PrivatePostgres postgres;
  static const bool ready = [] {
    CheckUnderTest check(postgres_plan("url: '" + postgres.url() + "'"));
    for (int i = 0; i < 500 && check.attempt().verdict != Verdict::pass; ++i) check.loop.run_for(20ms);
    postgres.execute(
        "CREATE TABLE users (id int); CREATE SCHEMA billing; CREATE TABLE billing.\"Odd 'name\" (id int);"
        "CREATE SCHEMA hidden; CREATE TABLE hidden.things (id int);"
        "CREATE ROLE guest LOGIN PASSWORD 'guest-secret'");
    return check.attempt().verdict == Verdict::pass;
  }();
  REQUIRE(ready);
  return postgres;
}

std::string url_key(const std::string& rest = "/postgres?sslmode=disable") {
  return "url: '" + server().url(rest) + "'";
}

CheckResult attempt(const std::string& own_keys) { return CheckUnderTest(postgres_plan(own_keys)).attempt(); }

// The value a query gives, told by an expectation that fails.
std::string told(CheckUnderTest& check) {
  return check.attempt().error.value_or(health::CheckError{}).message;
}

// What a server sends before it hangs up.
std::string error_response(const std::string& sqlstate, const std::string& message) {
  using namespace std::string_literals;
  const std::string fields = "SFATAL\0VFATAL\0C"s + sqlstate + "\0M"s + message + "\0\0"s;
  const auto size = static_cast<char>(fields.size() + 4);
  return "E\0\0\0"s + size + fields;
}

CheckResult ask_peer(Script script, const std::string& rest = "/postgres?sslmode=disable") {
  const auto port = closed_port();
  CheckUnderTest check(
      postgres_plan("url: 'postgresql://app:t0p-secret@127.0.0.1:" + std::to_string(port) + rest + "'"));
  FakePeer peer(
      check.loop, [&](std::size_t) { return script; }, Endpoint::tcp("127.0.0.1", port));
  return check.attempt();
}

}  // namespace

TEST_CASE("Postgres check passes over TCP, a name, a unix socket, a keyword string and separate keys") {
  const auto port = std::to_string(server().port());
  for (const std::string& keys : {
           url_key(),
           "url: 'postgres://app:t0p-secret@localhost:" + port + "/postgres'",
           "url: 'host=" + server().directory() + " port=" + port +
               " user=app password=t0p-secret dbname=postgres'",
           "host: 127.0.0.1, port: " + port + ", user: app, password: t0p-secret, dbname: postgres",
           "url: 'postgresql://app:t0p-secret@127.0.0.1:" + std::to_string(closed_port()) +
               ",127.0.0.1:" + port + "/postgres'",
       }) {
    INFO(keys);
    CHECK(text(attempt(keys)) == "pass");
  }
}

TEST_CASE("Postgres check finds its tables and names the missing ones as written") {
  CHECK(text(attempt(url_key() + R"(, tables: [users, public.users, 'billing."Odd ''name"'])")) == "pass");
  const auto result = attempt(url_key() + ", tables: [users, Accounts, billing.invoices]");
  REQUIRE(result.error);
  CHECK(result.error->kind == FailKind::missing_tables);
  CHECK(result.error->missing == std::vector<std::string>{"Accounts", "billing.invoices"});
  CHECK(result.error->message == "missing tables: Accounts, billing.invoices");
}

TEST_CASE("Postgres check sees a table as soon as it is there") {
  CheckUnderTest check(postgres_plan(url_key() + ", tables: [made_later]"));
  CHECK(check.attempt().error->kind == FailKind::missing_tables);
  server().execute("CREATE TABLE made_later (id int)");
  CHECK(text(check.attempt()) == "pass");
}

TEST_CASE("Postgres check blames missing tables rather than the query that needs them") {
  const auto result =
      attempt(url_key() + ", tables: [migrations], query: 'select max(version) from migrations'");
  CHECK(result.error->kind == FailKind::missing_tables);
}

TEST_CASE("Postgres check compares the first field of the query") {
  CHECK(text(attempt(url_key() + ", query: 'select 42', expect: '42'")) == "pass");
  CHECK(text(attempt(url_key() + ", query: 'select generate_series(1, 5000)', expect: '1'")) == "pass");
  CHECK(text(attempt(url_key() + ", query: 'select 41', expect: '42'")) ==
        "answer: the query gave \"41\", expected \"42\"");
  CHECK(text(attempt(url_key() + ", query: 'select null', expect: '42'")) ==
        "answer: the query gave NULL, expected \"42\"");
  CHECK(text(attempt(url_key() + ", query: 'select 1 where false', expect: '42'")) ==
        "answer: the query gave no row, expected \"42\"");
}

TEST_CASE("Postgres check keeps one session, with its name, and sets nothing in it") {
  CheckUnderTest pid(postgres_plan(url_key() + ", query: 'select pg_backend_pid()', expect: none"));
  const auto first = told(pid);
  CHECK(first.find("the query gave") == 0);
  CHECK(told(pid) == first);
  CHECK(text(attempt(url_key() + ", query: \"select application_name from pg_stat_activity where pid = "
                                 "pg_backend_pid()\", expect: probegate")) == "pass");
  // Statements of ours are local to their transaction, so one that sees the session finds the defaults.
  CHECK(text(attempt(url_key() + ", query: \"commit; show statement_timeout\", expect: '0'")) == "pass");
}

TEST_CASE("Postgres check replaces a session that was ended between two attempts") {
  CheckUnderTest check(postgres_plan(url_key() + ", query: 'select pg_backend_pid()', expect: none"));
  const auto before = told(check);
  server().execute(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'probegate'");
  const auto after = told(check);
  CHECK(after.find("the query gave") == 0);
  CHECK(after != before);
}

TEST_CASE("Postgres check names the kind of every refusal, with its SQLSTATE") {
  const auto port = std::to_string(server().port());
  struct Case {
    std::string keys;
    FailKind kind;
    std::string sqlstate;
  };
  const Case cases[] = {
      {"url: 'postgresql://app:wr0ng-secret@127.0.0.1:" + port + "/postgres'", FailKind::auth, "28P01"},
      {"url: 'postgresql://nobody:wr0ng-secret@127.0.0.1:" + port + "/postgres'", FailKind::auth, "28P01"},
      {"url: 'postgresql://app@127.0.0.1:" + port + "/postgres'", FailKind::auth, ""},
      {url_key("/no_such_database"), FailKind::config, "3D000"},
      {"url: 'postgresql://guest:guest-secret@127.0.0.1:" + port + "/postgres', tables: [hidden.things]",
       FailKind::config, "42501"},
      {url_key() + ", query: selec", FailKind::answer, "42601"},
      {url_key() + ", query: 'select * from nowhere'", FailKind::answer, "42P01"},
      {url_key() + ", query: 'create table unwanted (id int)'", FailKind::answer, "25006"},
      {url_key("/postgres?sslmode=require"), FailKind::tls, ""},
      {url_key("/postgres?options=-c%20default_transaction_read_only%3Don") + ", writable: true",
       FailKind::answer, ""},
      {url_key() + ", query: 'copy users to stdout'", FailKind::answer, ""},
  };
  for (const auto& [keys, kind, sqlstate] : cases) {
    const auto result = attempt(keys);
    INFO(keys << " -> " << text(result));
    REQUIRE(result.error);
    CHECK(result.error->kind == kind);
    CHECK(result.error->sqlstate == sqlstate);
    CHECK(result.error->message.find("secret") == std::string::npos);
    CHECK(result.error->message.find('\n') == std::string::npos);
  }
  CHECK(text(attempt(url_key() + ", writable: true")) == "pass");
}

TEST_CASE("Postgres check lets the server end a slow query, and keeps the session") {
  CheckUnderTest check(postgres_plan(url_key() + ", query: 'select pg_sleep(60)'"));
  check.start(200ms);
  REQUIRE(check.loop.until([&] { return check.result.has_value(); }));
  CHECK(check.result->error->kind == FailKind::timeout);
  CHECK(check.result->error->sqlstate == "57014");
}

TEST_CASE("Postgres check says what a server that starts, is full or speaks another protocol says") {
  const auto starting =
      ask_peer({expect("app"), send(error_response("57P03", "the database system is starting up")), close()});
  CHECK(text(starting) == "connect: the database system is starting up");
  CHECK(starting.error->sqlstate == "57P03");
  const auto full =
      ask_peer({expect("app"), send(error_response("53300", "sorry, too many clients already")), close()});
  CHECK(text(full) == "connect: sorry, too many clients already");
  CHECK(ask_peer({expect("app"), send("HTTP/1.1 400 Bad Request\r\n\r\n"), close()}).error->kind ==
        FailKind::protocol);
  CHECK(ask_peer({expect("\x04\xd2\x16\x2f"), send("HTTP/1.1 400 Bad Request\r\n\r\n"), close()}, "/postgres")
            .error->kind == FailKind::protocol);
  CHECK(ask_peer({expect("app"), close()}).error->kind == FailKind::connect);
  CHECK(ask_peer({close()}).error->kind == FailKind::connect);
}

TEST_CASE("Postgres check says connect when nobody listens") {
  const auto result =
      attempt("url: 'postgresql://app@127.0.0.1:" + std::to_string(closed_port()) + "/postgres'");
  CHECK(result.error->kind == FailKind::connect);
  CHECK(result.error->message.find("Connection refused") != std::string::npos);
  CHECK(result.error->message.find("Is the server running") == std::string::npos);
}

TEST_CASE("Postgres check does not blame the server for our own lack of descriptors") {
  CheckUnderTest check(postgres_plan(url_key()));
  check.loop.settle();
  bool finished = false;
  {
    const NoDescriptors none;
    check.start();
    finished = check.loop.until([&] { return check.result.has_value(); });
  }
  REQUIRE(finished);
  CHECK(check.result->verdict == Verdict::inconclusive);
  CHECK(text(check.attempt()) == "pass");
}

TEST_CASE("Postgres check can be destroyed at once in every phase") {
  BlackHole hole;
  CheckUnderTest connecting(
      postgres_plan("url: 'postgresql://app@127.0.0.1:" + std::to_string(hole.port()) + "/postgres'"));
  connecting.start();
  connecting.loop.run_for(30ms);
  CHECK(std::string(connecting.check->phase()) == "connecting");
  CheckUnderTest asking(postgres_plan(url_key() + ", query: 'select pg_sleep(60)'"));
  asking.start();
  REQUIRE(asking.loop.until(
      [&] { return std::string(asking.check->phase()) == "waiting for the answer to the query"; }));
  for (auto* check : {&connecting, &asking}) {
    const auto begun = check->loop->now();
    check->remake();
    CHECK(check->loop->now() - begun < 100ms);
    check->loop.run_for(30ms);
    CHECK(check->reports == 0);
  }
}

TEST_CASE("Postgres check tells what is wrong with its configuration and never the password") {
  check_mistakes(
      checks::read_postgres, "postgres",
      {
          {"tables: [a]", "url: is missing"},
          {"url: 't0p-secret'", "is not postgresql://user:password@host:5432/dbname"},
          {"url: ''", "is not postgresql://user:password@host:5432/dbname"},
          {"url: 'mysql://app:t0p-secret@host/db'", "this is an address for type: mysql"},
          {"url: 'postgresql://app:t0p-secret@host:abc/db'", "the port must be a number"},
          {"url: 'postgresql://app:t0p@secret@host/db'", "an @ in a password is written %40"},
          {"url: 'postgresql://app:t0p-secret@host/db?trust_me=1'", "the parameter trust_me is unknown"},
          {"url: 'host=a,b port=1,2,3 password=t0p-secret'", "one port, or one for each host"},
          {"url: 'postgresql://app:t0p-secret@host/db?sslmode=maybe'", "sslmode must be one of"},
          {"url: 'postgresql://app:t0p-secret@host/db', user: other", "keep one of the two"},
          {"url: 'postgresql://host/db', tables: ['bad..name']", "is not a table name"},
          {"url: 'postgresql://host/db', expect: '1'", "needs a query"},
          {"url: 'postgresql://host/db', query: ' '", "is empty"},
      });
}

TEST_CASE("Postgres check shows its target without user and password") {
  CHECK(postgres_plan("url: 'postgresql://app:t0p-secret@db.internal/chat'").target ==
        "db.internal:5432/chat");
  CHECK(postgres_plan("url: 'postgresql://app:t0p-secret@[::1]:5433,b/chat'").target ==
        "[::1]:5433,b:5432/chat");
  CHECK(postgres_plan("url: 'postgresql:///chat'").target == "/var/run/postgresql/chat");
  const auto secrets = postgres_plan("url: 'postgresql://app:t0p-secret@db/chat'").secrets;
  CHECK(secrets.masked("user \"app\" of app with t0p-secret") == "user *** of app with ***");
}

}  // namespace probegate::test
