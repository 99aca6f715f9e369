#include "base/redaction.h"

#include <catch2/catch.hpp>

namespace probegate {
namespace {

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("Secrets are masked in a text wherever they stand") {
  CHECK(Secrets{"s3cret"}.masked("password s3cret for s3cret") == "password *** for ***");
  CHECK(Secrets{"s3cret"}.masked("s3crets3cret") == "***");
  CHECK(Secrets{"s3cret"}.masked("nothing here") == "nothing here");
  CHECK(Secrets{}.masked("nothing here") == "nothing here");
  CHECK(Secrets{"abcd", "abcdefgh"}.masked("key=abcdefgh") == "key=***");
  CHECK(Secrets{"abcdefgh", "abcd"}.masked("key=abcdefgh") == "key=***");
}

TEST_CASE("A part of a secret is masked too, should a peer cut or escape it") {
  const std::string secret = "Qx7!vT2\"mZ9$kL4&";
  const Secrets secrets{secret};
  CHECK(secrets.masked("begins with Qx7!vT2") == "begins with ***");
  const auto escaped = secrets.masked(R"(got "Qx7!vT2\"mZ9$kL4&")");
  CHECK_FALSE(holds(escaped, "Qx7!"));
  CHECK_FALSE(holds(escaped, "mZ9$"));
  CHECK_FALSE(holds(secrets.masked("user=Qx7%21vT2%22mZ9%24kL4%26"), "%21v"));
}

TEST_CASE("A long secret is masked where only its beginning is repeated") {
  std::string secret;
  for (int i = 0; i < 400; ++i) secret += static_cast<char>('!' + (i * 7 + i / 13) % 94);
  CHECK(Secrets{secret}.masked("got '" + secret.substr(0, 128) + "'") == "got '***'");
}

TEST_CASE("A secret in base64 is masked at every offset and in both alphabets") {
  const Secrets secrets{"hunter-22?>"};
  for (const char* text : {"aHVudGVyLTIyPz4=", "dTpodW50ZXItMjI/Pg==", "YWE6aHVudGVyLTIyPz4=",
                           "YWFhOmh1bnRlci0yMj8+", "dTpodW50ZXItMjI_Pg"}) {
    const auto masked = secrets.masked("Basic " + std::string(text));
    CAPTURE(text, masked);
    CHECK(masked.starts_with("Basic "));
    CHECK(masked.size() < sizeof "Basic *** dTpo=");
  }
}

TEST_CASE("A secret of less than four characters is masked where it stands as a word") {
  CHECK(Secrets{"pw"}.masked("args beginning with: 'pw' 'x'") == "args beginning with: '***' 'x'");
  CHECK(Secrets{"the"}.masked("then the proxy") == "then *** proxy");
  CHECK(Secrets{""}.masked("the port") == "the port");
}

TEST_CASE("A phrase is masked as a whole only") {
  Secrets secrets;
  secrets.add_phrase("\"app\"");
  CHECK(secrets.masked("user \"app\" of app") == "user *** of app");
}

TEST_CASE("The texts in quotes of a statement are masked, its names are not") {
  Secrets secrets;
  secrets.add_literals("select 1 from orders where token = 'hunter22' and x = $$other words$$ and y = ''");
  CHECK(secrets.masked("invalid input: \"hunter22\"") == "invalid input: \"***\"");
  CHECK(secrets.masked("got other words") == "got ***");
  CHECK(secrets.masked("relation \"orders\" does not exist") == "relation \"orders\" does not exist");
  secrets.add_literals("select $1, 'not closed");
  CHECK(secrets.masked("near not closed") == "near ***");
}

TEST_CASE("A host's name that is a part of the password is still told") {
  Secrets secrets{"redis-7Hxq"};
  secrets.allow("redis");
  CHECK(secrets.masked("cannot connect to redis:6379") == "cannot connect to redis:6379");
  CHECK(secrets.masked("got redis-7Hxq") == "got ***");
  CHECK(secrets.masked("got redis-7H") == "got ***");
}

TEST_CASE("A password made of ordinary words leaves the sentence that says what is wrong") {
  CHECK(Secrets{"mysecretpassword"}.masked("password authentication failed") ==
        "password authentication failed");
  CHECK(Secrets{"postgres-x"}.masked("not a PostgreSQL server") == "not a PostgreSQL server");
}

TEST_CASE("Only parameters and headers that are known to be harmless are shown") {
  CHECK(is_harmless_parameter("sslmode", "require"));
  CHECK(is_harmless_parameter("SSLMode", "require"));
  CHECK_FALSE(is_harmless_parameter("sslmode", "two words"));
  for (const char* name : {"pwd", "auth", "jwt", "code", "access", "ticket", "sig", "signature", "password",
                           "application_name", "user", "q"}) {
    CHECK_FALSE(is_harmless_parameter(name, "x"));
  }
  CHECK(is_harmless_header("Host"));
  CHECK(is_harmless_header("origin"));
  for (const char* name : {"authorization", "cookie", "x-api-key", "x-unknown", "referer"}) {
    CHECK_FALSE(is_harmless_header(name));
  }
}

}  // namespace probegate
