#include "checks/postgres_errors.h"

#include <catch2/catch.hpp>

namespace probegate::checks {

using health::FailKind;
using health::Verdict;

TEST_CASE("A SQLSTATE decides the kind") {
  struct Case {
    const char* sqlstate;
    FailKind asking;
    FailKind connecting;
  };
  for (const auto& [sqlstate, asking, connecting] : {
           Case{"28P01", FailKind::auth, FailKind::auth},
           Case{"28000", FailKind::auth, FailKind::auth},
           Case{"3D000", FailKind::config, FailKind::config},
           Case{"42501", FailKind::config, FailKind::config},
           Case{"57P01", FailKind::connect, FailKind::connect},
           Case{"57P02", FailKind::connect, FailKind::connect},
           Case{"57P03", FailKind::connect, FailKind::connect},
           Case{"08006", FailKind::connect, FailKind::connect},
           Case{"08P01", FailKind::connect, FailKind::connect},
           Case{"57014", FailKind::timeout, FailKind::timeout},
           Case{"53300", FailKind::answer, FailKind::connect},
           Case{"25006", FailKind::answer, FailKind::connect},
           Case{"42P01", FailKind::answer, FailKind::connect},
           Case{"XX000", FailKind::answer, FailKind::connect},
       }) {
    INFO(sqlstate);
    CHECK(kind_of_sqlstate(sqlstate, false) == asking);
    CHECK(kind_of_sqlstate(sqlstate, true) == connecting);
  }
}

TEST_CASE("A pooler's words decide where its SQLSTATE is the same for everything") {
  CHECK(kind_of_refusal("08P01", "SASL authentication failed") == FailKind::auth);
  CHECK(kind_of_refusal("08P01", "password authentication failed") == FailKind::auth);
  CHECK(kind_of_refusal("08P01", "no such user: app") == FailKind::auth);
  CHECK(kind_of_refusal("08P01", "no such database: chat") == FailKind::config);
  CHECK(kind_of_refusal("08P01", "server_login_retry") == FailKind::connect);
  CHECK(kind_of_refusal("28P01", "password authentication failed") == FailKind::auth);
  CHECK(kind_of_refusal("57P03", "authentication failed") == FailKind::connect);
}

TEST_CASE("libpq's lines become one sentence and a kind") {
  const auto auth = failed_connect(
      "connection to server at \"db\" (10.0.0.1), port 5432 failed: FATAL:  28P01: password authentication "
      "failed "
      "for user \"app\"\nLOCATION:  auth_failed, auth.c:326\n");
  CHECK(auth.error->kind == FailKind::auth);
  CHECK(auth.error->sqlstate == "28P01");
  CHECK(auth.error->message == "password authentication failed for user \"app\"");

  const auto translated = failed_connect("... failed: FATAL:  3D000: Datenbank \"x\" existiert nicht\n");
  CHECK(translated.error->kind == FailKind::config);

  const auto refused = failed_connect(
      "connection to server at \"db\", port 1 failed: Connection refused\n\tIs the server running on that "
      "host "
      "and accepting TCP/IP connections?\n");
  CHECK(refused.error->kind == FailKind::connect);
  CHECK(refused.error->message == "connection to server at \"db\", port 1 failed: Connection refused");

  CHECK(failed_connect("server does not support SSL, but SSL was required\n").error->kind == FailKind::tls);
  CHECK(failed_connect("SSL error: certificate verify failed\n").error->kind == FailKind::tls);
  CHECK(failed_connect("received invalid response to SSL negotiation: H\n").error->kind ==
        FailKind::protocol);
  CHECK(failed_connect("fe_sendauth: no password supplied\n").error->kind == FailKind::auth);
  CHECK(failed_connect("session is read-only\n").error->kind == FailKind::answer);
  CHECK(failed_connect("invalid target_session_attrs value: \"x\"\n").error->kind == FailKind::config);
  CHECK(failed_connect("").error->message == "cannot connect");
}

TEST_CASE("Our own lack of descriptors is not the server's failure") {
  CHECK(failed_connect("could not create socket: Too many open files\n").verdict == Verdict::inconclusive);
}

TEST_CASE("A pooler that refuses options is a matter of configuration, with the remedy") {
  const auto result =
      failed_connect("connection to server failed: FATAL:  08P01: unsupported startup parameter: options\n");
  CHECK(result.error->kind == FailKind::config);
  CHECK(result.error->message ==
        "unsupported startup parameter: options (a pooler does not pass it on; leave options out, and write "
        "tables as schema.name)");
}

TEST_CASE("A server that demands a client certificate is a matter of TLS") {
  const auto result =
      failed_connect("connection failed: FATAL:  28000: connection requires a valid client certificate\n");
  CHECK(result.error->kind == FailKind::tls);
  CHECK(result.error->sqlstate == "28000");
}

}  // namespace probegate::checks
