// The only URL parser: all addresses from the user are parsed and formatted here.
//
// Hand-written because the available libraries misread common addresses: libcurl's URL API accepts one
// host and ends a password at its first "@", and libpq treats the text after that "@" as a host. Both
// would show parts of a password as a host. This parser rejects ambiguous text. Pure; no error repeats a
// byte of the text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/result.h"

namespace probegate {

class Secrets;

struct UrlHost {
  std::string name;  // decoded; IPv6 without brackets; a unix socket path if it begins with "/"
  std::optional<std::uint16_t> port;
  bool operator==(const UrlHost&) const = default;
};

struct UrlParameter {
  std::string name;   // decoded; letter case as written
  std::string value;  // decoded
  std::string raw;    // name=value, as written
};

// scheme://user:password@host:port,host:port/path?name=value#fragment, or unix:/path?name=value.
struct Url {
  std::string scheme;                   // lower case
  std::optional<std::string> user;      // decoded; empty in ":password@"
  std::optional<std::string> password;  // decoded
  std::string raw_user_info;            // as written, without the "@"
  std::string raw_password;             // as written
  bool loose_at = false;                // the user-info contains an "@" that is not written as %40
  std::vector<UrlHost> hosts;           // in order; empty: no host, as in mysql:///app
  std::string authority;                // hosts and ports as written; for Host
  std::string path;                     // as written, from its "/" on; may be empty
  std::vector<UrlParameter> parameters;
  std::string target;                   // path and query as written, at least "/": the HTTP request target
  std::optional<std::string> fragment;  // as written

  // The first host and its port; "" and empty if there is none.
  const std::string& host() const;
  std::optional<std::uint16_t> port() const;
  Endpoint endpoint(std::uint16_t default_port) const;

  std::optional<std::string> decoded_path() const;  // empty if a % is not followed by two hexadecimal digits
  // The value of the last parameter with that name, ignoring case.
  const std::string* parameter(std::string_view name) const;

  // For output: "***@" for user-info, "***" for every query value that is not known to be harmless.
  std::string shown() const;
  // The same for an HTTP request target: the path and the query.
  std::string shown_target() const;
  // For libcurl: user-info encoded, no fragment.
  std::string encoded() const;
};

struct UrlRules {
  bool several_hosts = false;  // separated by commas
  bool no_host = false;        // scheme:///path is valid too
  bool socket_host = false;    // %2Frun%2Fpostgresql is the directory of a unix socket
};

// The error never repeats the text, which may contain a password, and says how to
// escape ambiguous characters.
Result<Url> parse_url(std::string_view text, UrlRules rules = {});

// How to escape the characters that would end a password too early, for errors.
inline constexpr std::string_view kEscapes =
    "an @ in a password is written %40, a / %2F, a ? %3F, a # %23, a % %25";

// Empty if a % is not followed by two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text);
// Encodes everything but letters, digits and -._~.
std::string percent_encoded(std::string_view text);

// Adds the parts of a URL that must be masked in messages of a peer.
void add_secrets(const Url& url, Secrets& secrets);

// Like shown(), for a URL or a path with a query. If the text cannot be parsed, only its scheme is shown, and
// nothing of "user:password@host". Other text is returned unchanged.
std::string redact_url(std::string_view text);

}  // namespace probegate
