#include "base/url.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cctype>
#include <random>
#include <utility>

#include "base/redaction.h"
#include "base/text.h"

namespace probegate {
namespace {

constexpr UrlRules kAny{.several_hosts = true, .no_host = true, .socket_host = true};

// Printable ASCII, of 4 to 24 characters, without that of the mask.
std::string random_password(std::mt19937& random) {
  std::string text(std::uniform_int_distribution<std::size_t>(4, 24)(random), ' ');
  for (char& c : text) c = static_cast<char>(std::uniform_int_distribution<int>('!', '~')(random));
  std::ranges::replace(text, '*', '+');
  return text;
}

// `known`: what is shown whatever the secret is.
bool shows_a_part(std::string_view shown, std::string_view secret, std::string_view known = "") {
  for (std::size_t at = 0; at + 4 <= secret.size(); ++at) {
    const auto part = secret.substr(at, 4);
    if (shown.find(part) != shown.npos && known.find(part) == known.npos) return true;
  }
  return false;
}

// Another password of the same form: its URL is refused in the same words.
std::string of_the_same_form(std::string password) {
  for (char& c : password) {
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) c = '0';
    if (std::isalpha(static_cast<unsigned char>(c)) != 0)
      c = std::isxdigit(static_cast<unsigned char>(c)) != 0 ? 'a' : 'q';
  }
  return password;
}

// Without the parameters that are no secret wherever they stand: a password may spell "&db=" or "&db#".
std::string beside_harmless(std::string_view shown) {
  std::string left;
  for (const auto part : split(shown, '&')) {
    const auto parameter = part.substr(0, part.find('#'));
    const auto name = parameter.substr(0, parameter.find('='));
    const auto value = parameter.substr(std::min(name.size() + 1, parameter.size()));
    if (!left.empty()) left += '&';
    left += is_harmless_parameter(name, value) ? part.substr(parameter.size()) : part;
  }
  return left;
}

}  // namespace

TEST_CASE("A URL comes apart into its parts") {
  const auto url = parse_url("REDISS://app%40x:p%3A%40ss@[2001:db8::1]:6380/2?a=b%20c&d#e");
  REQUIRE(url);
  CHECK(url->scheme == "rediss");
  CHECK(url->user == "app@x");
  CHECK(url->password == "p:@ss");
  CHECK(url->raw_password == "p%3A%40ss");
  CHECK(url->host() == "2001:db8::1");
  CHECK(url->port() == 6380);
  CHECK(url->path == "/2");
  CHECK(url->target == "/2?a=b%20c&d");
  CHECK(url->authority == "[2001:db8::1]:6380");
  CHECK(url->fragment == "e");
  REQUIRE(url->parameters.size() == 2);
  CHECK(*url->parameter("A") == "b c");
  CHECK(url->parameter("d")->empty());
  CHECK(url->parameter("e") == nullptr);
}

TEST_CASE("What a URL leaves out has a default") {
  const auto url = parse_url("ws://host");
  REQUIRE(url);
  CHECK_FALSE(url->user);
  CHECK_FALSE(url->password);
  CHECK(url->target == "/");
  CHECK(url->authority == "host");
  CHECK(url->endpoint(80) == Endpoint::tcp("host", 80));
  CHECK(parse_url("ws://host?x=1")->target == "/?x=1");
  CHECK(parse_url("redis://:secret@host")->user == "");
  CHECK(parse_url("redis://default:@host")->password == "");
}

TEST_CASE("The last @ before the host ends the user-info") {
  const auto url = parse_url("redis://user:with@at@host");
  REQUIRE(url);
  CHECK(url->host() == "host");
  CHECK(url->password == "with@at");
  CHECK(url->loose_at);
  CHECK(url->encoded() == "redis://user:with%40at@host/");
}

TEST_CASE("A URL names several hosts, none, or the directory of a socket where that is allowed") {
  const auto several = parse_url("postgresql://u:p@h1:5432,[::1],h3/app", kAny);
  REQUIRE(several);
  CHECK(several->hosts == std::vector<UrlHost>{{"h1", 5432}, {"::1", std::nullopt}, {"h3", std::nullopt}});
  const auto none = parse_url("mysql://u:p@/app", kAny);
  REQUIRE(none);
  CHECK(none->hosts.empty());
  CHECK(none->path == "/app");
  CHECK(parse_url("postgres://u:p@%2Fcloudsql%2Fp%3Ar%3Ai/app", kAny)->host() == "/cloudsql/p:r:i");
  CHECK_FALSE(parse_url("redis://h1:6379,h2:6379/0"));
  CHECK_FALSE(parse_url("redis:///0"));
  CHECK_FALSE(parse_url("http://%2Frun%2Fx/"));
}

TEST_CASE("A unix socket is written in three ways") {
  for (const char* text :
       {"unix:/run/redis.sock?db=1", "unix:///run/redis.sock?db=1", "unix://user:pw@/run/redis.sock?db=1"}) {
    const auto url = parse_url(text);
    INFO(text);
    REQUIRE(url);
    CHECK(url->path == "/run/redis.sock");
    CHECK(*url->parameter("db") == "1");
  }
  CHECK(parse_url("unix://user:pw@/run/redis.sock")->password == "pw");
  CHECK_FALSE(parse_url("unix://host/run/redis.sock"));
  CHECK_FALSE(parse_url("unix:run/redis.sock"));
  CHECK_FALSE(parse_url("unix:"));
}

TEST_CASE("A wrong URL is told without repeating it") {
  for (const char* text :
       {"", "host:1", "://host", "ws://", "ws://:80", "ws://host:0", "ws://host:65536",
        "ws://host:", "ws://host:8x", "ws://[::1", "ws://[::1]x", "ws://[host]", "ws://u:s3cret%@host",
        "ws://u%zz@host", "ws://ho st/", "ws://host/a\r\nb", "ws://h/?a=%zz"}) {
    const auto url = parse_url(text);
    INFO(text);
    REQUIRE_FALSE(url);
    CHECK_FALSE(shows_a_part(url.error().message, "s3cret"));
  }
}

TEST_CASE("A password that ends the authority too early is refused with the remedy") {
  for (const char* text :
       {"postgresql://u:s3/cret@db/app", "redis://:s3?cret@redis", "redis://:p@s3#1@127.0.0.1:6379/0",
        "http://u:1234/wxyz@host/", "unix://user:p/w@/run/redis.sock", "http://h:80/x?mail=me@example.com"}) {
    const auto url = parse_url(text);
    INFO(text);
    REQUIRE_FALSE(url);
    CHECK(url.error().message.find("%40") != std::string::npos);
    CHECK(url.error().message.find("%2F") != std::string::npos);
  }
}

TEST_CASE("A URL is shown without user-info and without values that may be secret") {
  CHECK(redact_url("postgres://app:s3cret@db:5432/app") == "postgres://***@db:5432/app");
  CHECK(redact_url("redis://:s3cret@cache/0") == "redis://***@cache/0");
  CHECK(redact_url("https://token@host") == "https://***@host");
  CHECK(redact_url("redis://u:p@ss@cache") == "redis://***@cache");
  CHECK(redact_url("postgres://u:p@[::1]:5432,db2:5433/x") == "postgres://***@[::1]:5432,db2:5433/x");
  CHECK(redact_url("postgres://db/app?user=u&password=s3cret&sslmode=require") ==
        "postgres://db/app?***&***&sslmode=require");
  CHECK(redact_url("ws://h/v?sig=abc#frag") == "ws://h/v?***#***");
  CHECK(redact_url("/ws?access_token=t") == "/ws?***");
  CHECK(redact_url("unix://u:p@/run/s?password=p") == "unix://***@/run/s?***");
  CHECK(redact_url("postgres://app:s3/cret@db/app") == "postgres://***");
  CHECK(redact_url("user:pw@host:6379") == "***");
  for (const auto* url : {"http://auth.internal/health", "http://127.0.0.1:8000", "ws://[::1]:80/ws",
                          "unix:/run/x@y.sock", "plain text", "me@example.com", ""}) {
    CHECK(redact_url(url) == url);
  }
}

TEST_CASE("What a peer repeats of a URL is masked, its host is not") {
  Secrets secrets;
  add_secrets(*parse_url("http://probe:s3cr%65t@auth.internal/x?token=t0ken42&sslmode=require"), secrets);
  CHECK(secrets.masked("Basic cHJvYmU6czNjcmV0") == "Basic ***");
  CHECK(secrets.masked("s3cret s3cr%65t t0ken42") == "*** *** ***");
  CHECK(secrets.masked("auth.internal with require") == "auth.internal with require");
}

TEST_CASE("No part of a random password is shown, wherever it stands and however it is written") {
  // What stands before it and after it.
  constexpr std::pair<std::string_view, std::string_view> kPlaces[] = {
      {"postgresql://user:", "@db:5432/app"},
      {"redis://:", "@redis:6379/0"},
      {"https://", "@host/path"},
      {"unix://u:", "@/run/redis.sock?db=1"},
      {"unix:///run/redis.sock?password=", ""},
      {"postgresql:///app?user=u&password=", ""},
      {"mysql://u:", "@/app?unix_socket=/run/m.sock"},
      {"ws://h/ws?token=", "&v=1"},
      {"http://h1,h2/#", ""},
      {"user:", "@host:6379"},
  };
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int sample = 0; sample < 20'000; ++sample) {
    const auto password = random_password(random);
    for (const bool escaped : {false, true}) {
      const auto written = escaped ? percent_encoded(password) : password;
      for (const auto& [before, after] : kPlaces) {
        const auto with = [before = before, after = after](std::string_view other) {
          return std::string(before).append(other).append(after);
        };
        const auto text = with(written);
        const auto url = parse_url(text, kAny);
        const auto same = parse_url(with(of_the_same_form(written)), kAny);
        const auto shown = beside_harmless(redact_url(text));
        const auto known = redact_url(with("x"));
        // Of so many cases an assertion for each would take most of the time.
        const bool told =
            !url && shows_a_part(url.error().message, password, same ? "" : same.error().message);
        const bool seen = shows_a_part(shown, written, known) || shows_a_part(shown, password, known);
        const bool changed = escaped && url && url->password && url->password != password;
        if (!told && !seen && !changed) continue;
        CAPTURE(text, shown, told, seen, changed);
        FAIL("a part is shown, or the password is read as another one");
      }
    }
  }
}

}  // namespace probegate
