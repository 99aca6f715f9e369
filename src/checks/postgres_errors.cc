#include "checks/postgres_errors.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "base/text.h"

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::FailKind;

struct ServerError {
  std::string_view sqlstate;
  std::string_view message;
};

constexpr std::string_view kUnsupported = "unsupported startup parameter";  // message of pgbouncer

// The remedy for refusals whose message does not contain one.
std::string advice(std::string_view message) {
  if (message.starts_with(kUnsupported) && message.find("options") != std::string_view::npos) {
    return " (a pooler does not pass it on; leave options out, and write tables as schema.name)";
  }
  if (message.find("requires a valid client certificate") != std::string_view::npos) {
    return " (tls.cert_file and tls.key_file)";
  }
  return "";
}

bool is_code_char(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); }

// The severity may be translated, but it is always followed by a colon, two spaces, a five-character code
// and a colon.
std::optional<ServerError> server_error(std::string_view line) {
  constexpr std::size_t kPrefix = 3;  // ":  "
  for (auto at = line.find(":  "); at != std::string_view::npos; at = line.find(":  ", at + 1)) {
    const auto rest = line.substr(at + kPrefix);
    if (rest.size() < 7 || rest.substr(5, 2) != ": ") continue;
    if (std::all_of(rest.begin(), rest.begin() + 5, is_code_char)) {
      return ServerError{rest.substr(0, 5), rest.substr(7)};
    }
  }
  return std::nullopt;
}

// Messages of libpq itself, without an answer of the server.
FailKind kind_of_text(std::string_view text) {
  struct Sign {
    std::string_view words;
    FailKind kind;
  };
  static constexpr Sign kSigns[] = {
      {"could not translate host name", FailKind::resolve},
      {"no password supplied", FailKind::auth},
      {"authentication method", FailKind::auth},
      {"SCRAM", FailKind::auth},
      {"GSSAPI", FailKind::auth},
      {"SSL negotiation", FailKind::protocol},  // the answer to the TLS request is not from PostgreSQL
      {"SSL", FailKind::tls},
      {"certificate", FailKind::tls},
      {"expected authentication request", FailKind::protocol},
      {"received invalid", FailKind::protocol},
      {"read-only", FailKind::answer},  // no server matches target_session_attrs
      {"hot standby", FailKind::answer},
      {"local user with ID", FailKind::config},  // no user is set, and the system user has no name
      {"invalid ", FailKind::config},            // a parameter that libpq rejects
  };
  for (const auto& [words, kind] : kSigns) {
    if (text.find(words) != std::string_view::npos) return kind;
  }
  return FailKind::connect;
}

}  // namespace

FailKind kind_of_refusal(std::string_view sqlstate, std::string_view message) {
  if (sqlstate == "08P01") {
    if (message.find("authentication failed") != std::string_view::npos) return FailKind::auth;
    if (message.starts_with("no such user")) return FailKind::auth;
    if (message.starts_with("no such database")) return FailKind::config;
    if (message.starts_with(kUnsupported)) return FailKind::config;
  }
  if (sqlstate == "28000" && message.find("client certificate") != std::string_view::npos)
    return FailKind::tls;
  return kind_of_sqlstate(sqlstate, true);
}

FailKind kind_of_sqlstate(std::string_view sqlstate, bool connecting) {
  if (sqlstate.starts_with("28")) return FailKind::auth;
  if (sqlstate == "3D000" || sqlstate == "42501") return FailKind::config;
  if (sqlstate.starts_with("08") || sqlstate.starts_with("57P")) return FailKind::connect;
  if (sqlstate == "57014") return FailKind::timeout;
  return connecting ? FailKind::connect : FailKind::answer;
}

CheckResult failed_connect(std::string_view libpq_text) {
  std::string told;
  for (const auto line : split(libpq_text, '\n')) {
    if (const auto error = server_error(line)) {
      return CheckResult::fail({.kind = kind_of_refusal(error->sqlstate, error->message),
                                .message = std::string(error->message) + advice(error->message),
                                .sqlstate = std::string(error->sqlstate)});
    }
    // Indented lines are hints ("Is the server running on that host ...?").
    if (line.empty() || line.starts_with('\t') || told.find(line) != std::string::npos) continue;
    told += told.empty() ? "" : "; ";
    told += line;
  }
  for (const int lack : {EMFILE, ENFILE}) {
    if (told.find(std::strerror(lack)) != std::string::npos) return CheckResult::inconclusive(told);
  }
  return CheckResult::fail(kind_of_text(told), told.empty() ? "cannot connect" : told);
}

}  // namespace probegate::checks
