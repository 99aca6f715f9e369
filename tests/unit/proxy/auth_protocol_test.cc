#include "proxy/auth_protocol.h"

#include <catch2/catch.hpp>

namespace probegate::proxy {
namespace {

using Kind = AuthAnswer::Kind;
using FailureKind = loop::HttpFailure::Kind;

config::Auth policy() {
  config::Auth auth;
  auth.url = "http://auth.internal/validate";
  auth.set_headers = {"x-user-id", "x-tenant"};
  return auth;
}

loop::HttpResponse response(int status) {
  loop::HttpResponse answer;
  answer.status = status;
  answer.body = "why";
  return answer;
}

AuthAnswer failed(FailureKind kind) {
  return judge_auth(policy(), tl::unexpected(loop::HttpFailure{kind, "a sentence"}));
}

}  // namespace

TEST_CASE("A status is a verdict or it is none") {
  const auto kind = [](int status) { return judge_auth(policy(), response(status)).kind; };
  for (const int status : {200, 201, 204, 299}) CHECK(kind(status) == Kind::allowed);
  for (const int status : {401, 403}) CHECK(kind(status) == Kind::denied);
  for (const int status : {0, 100, 199, 300, 302, 304, 400, 402, 404, 407, 429, 500, 503, 599})
    CHECK(kind(status) == Kind::unavailable);
}

TEST_CASE("A failure is no verdict, and one of our own making says nothing of the service") {
  for (const auto kind : {FailureKind::resolve, FailureKind::connect, FailureKind::tls, FailureKind::protocol,
                          FailureKind::timeout}) {
    CHECK(failed(kind).kind == Kind::unavailable);
    CHECK_FALSE(failed(kind).ours);
    CHECK(failed(kind).why == "a sentence");
  }
  for (const auto kind : {FailureKind::local, FailureKind::internal}) {
    CHECK(failed(kind).kind == Kind::unavailable);
    CHECK(failed(kind).ours);
  }
}

TEST_CASE("A denial that was cut off is not passed on, while a 2xx needs no body") {
  auto denial = response(403);
  denial.truncated = true;
  CHECK(judge_auth(policy(), denial).kind == Kind::unavailable);
  auto pass = response(200);
  pass.truncated = true;
  CHECK(judge_auth(policy(), pass).kind == Kind::allowed);
}

TEST_CASE("Of a 2xx the chosen fields are copied, of a denial those that make its body readable") {
  auto answer = response(200);
  answer.headers = {{"X-User-Id", "ada"},
                    {"X-Other", "1"},
                    {"x-tenant", "t\xc3\xa4st"},
                    {"WWW-Authenticate", "Basic"},
                    {"X-USER-ID", "b"}};
  CHECK(judge_auth(policy(), answer).fields == "X-User-Id: ada\r\nx-tenant: t\xc3\xa4st\r\nX-USER-ID: b\r\n");
  answer.status = 401;
  answer.headers.emplace_back("Content-Type", "text/html");
  CHECK(judge_auth(policy(), answer).fields == "WWW-Authenticate: Basic\r\nContent-Type: text/html\r\n");
  CHECK(judge_auth(policy(), answer).body == "why");
}

TEST_CASE("Values that would end their line are not copied") {
  using namespace std::string_literals;
  auto answer = response(200);
  for (const auto& value : {"a\rb"s, "a\nb"s, "a\0b"s, "\x7f"s, "\x1b"s})
    answer.headers.emplace_back("X-User-Id", value);
  CHECK(judge_auth(policy(), answer).fields.empty());
}

}  // namespace probegate::proxy
