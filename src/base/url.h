// The one reader of URLs: whatever a user writes as an address is taken apart here, and shown from here.
//
// Written by hand, as no library reads what people have: libcurl's URL API takes one host and ends a password
// at its first "@", libpq keeps what is behind that "@" as a host. Both would put parts of a password where
// hosts are shown. Here a text that two readers could take apart differently is refused. Pure; no error
// repeats a byte of the text.
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
  std::string name;  // decoded; IPv6 without brackets; the path of a unix socket where it begins with "/"
  std::optional<std::uint16_t> port;
  bool operator==(const UrlHost&) const = default;
};

struct UrlParameter {
  std::string name;   // decoded, as written: Name, not name
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
  bool loose_at = false;                // the user-info holds an "@" that is not written %40
  std::vector<UrlHost> hosts;           // in order; empty: none is written, as in mysql:///app
  std::string authority;                // hosts and ports as written; for Host
  std::string path;                     // as written, from its "/" on; may be empty
  std::vector<UrlParameter> parameters;
  std::string target;                   // path and query as written, at least "/": what HTTP asks for
  std::optional<std::string> fragment;  // as written

  // Of the first host; "" and nothing where none is written.
  const std::string& host() const;
  std::optional<std::uint16_t> port() const;
  Endpoint endpoint(std::uint16_t default_port) const;

  std::optional<std::string> decoded_path() const;  // nothing where a % is not followed by two digits
  // The value of the last parameter of that name, letters' case ignored.
  const std::string* parameter(std::string_view name) const;

  // As it may be shown: "***@" for user-info, "***" for every value of the query that is not known to be
  // harmless.
  std::string shown() const;
  // The same for what is asked of an HTTP server: the path, and what of the query may be shown.
  std::string shown_target() const;
  // As libcurl takes it: user-info encoded, no fragment.
  std::string encoded() const;
};

struct UrlRules {
  bool several_hosts = false;  // separated by commas
  bool no_host = false;        // scheme:///path is right too
  bool socket_host = false;    // %2Frun%2Fpostgresql is the directory of a unix socket
};

// The error never repeats the text, which may hold a password, and says how what it cannot tell apart is
// written.
Result<Url> parse_url(std::string_view text, UrlRules rules = {});

// How the characters that end a password too early are written, for errors.
inline constexpr std::string_view kEscapes =
    "an @ in a password is written %40, a / %2F, a ? %3F, a # %23, a % %25";

// Nothing where a % is not followed by two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text);
// Everything but letters, digits and -._~ encoded.
std::string percent_encoded(std::string_view text);

// What of a URL may come back in a peer's words and must not be shown.
void add_secrets(const Url& url, Secrets& secrets);

// As shown() of the URL, or of the path with a query, that it is. Of another text with a scheme only that is
// left, and nothing of "user:password@host". Everything else is no URL and is returned as it is.
std::string redact_url(std::string_view text);

}  // namespace probegate
