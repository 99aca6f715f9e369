// One HTTP/1.1 head as parsed: views into the bytes it was read from. Requests and responses.
//
// Invariant: every view points into the head's own bytes, which the reader must keep unmoved while it uses
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace probegate::proto {

// Why a message was refused: status and detail of the answer. For responses the status has no meaning.
struct HttpError {
  int status = 400;         // 400, 414, 431, 501, 505
  std::string_view detail;  // static text: "two Content-Length fields that differ"
};

// The fields that forwarding or the handshake handle by name; all others pass unchanged.
enum class FieldName : std::uint8_t {
  other,
  connection,
  content_length,
  date,
  expect,
  forwarded_for,
  forwarded_host,
  forwarded_other,  // any other X-Forwarded-*, in any spelling with the same CGI name
  forwarded_proto,
  hop,  // Probegate-Hop: the probegate instances that a request has passed
  host,
  keep_alive,
  max_forwards,
  proxy,  // Proxy-Connection, Proxy-Authenticate, Proxy-Authorization: all end at this hop
  request_id,
  te,
  trailer,
  transfer_encoding,
  upgrade,
  via,
  websocket_accept,  // Sec-WebSocket-Accept, and so on
  websocket_extensions,
  websocket_key,
  websocket_protocol,
  websocket_version,
  ambiguous,  // one of these, the handshake's apart, with "_", "." or the like for "-": to backends that know
              // CGI names they are one
};
FieldName field_name(std::string_view name);
// Compares security-relevant names as CGI does: a backend that uses CGI names (RFC 3875 section 4.1.18; PHP
// and others also map ".") may treat all characters other than letters and digits as the same.
bool same_to_cgi(std::string_view a, std::string_view b);

// A head with more Connection options is refused, because each is compared with every field when forwarding.
inline constexpr std::size_t kMostConnectionOptions = 32;

struct HeaderField {
  std::string_view name;   // as sent
  std::string_view value;  // without surrounding whitespace
  FieldName known = FieldName::other;
};

// Larger bodies and chunks are refused, because a parser with signed integers would read another size.
inline constexpr std::uint64_t kMostBody = INT64_MAX;

enum class BodyKind {
  none,
  length,       // Content-Length
  chunked,      // Transfer-Encoding: chunked
  until_close,  // responses only
};

class HeaderFields {
 public:
  void clear() { fields_.clear(); }
  void add(std::string_view name, std::string_view value) {
    fields_.push_back({name, value, field_name(name)});
  }

  const HeaderField* find(std::string_view name) const;  // the first; ASCII case ignored
  const HeaderField* find(FieldName name) const;
  std::string_view get(std::string_view name) const;  // its value, or empty
  std::string_view get(FieldName name) const;
  std::size_t count(std::string_view name) const;
  std::size_t count(FieldName name) const;
  bool has_token(FieldName name, std::string_view token) const;  // in any field of that name, as a list

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<HeaderField> fields_;
};

// Iterates over a comma-separated list (RFC 9110 section 5.6.1): elements are trimmed, empty ones skipped,
// and commas in quoted strings do not separate.
class ListReader {
 public:
  explicit ListReader(std::string_view list) : rest_(list) {}
  bool next(std::string_view& element);

 private:
  std::string_view rest_;
};

struct RequestHead {
  std::string_view method;
  std::string_view target;  // as sent; origin-form, absolute-form, or "*" for OPTIONS
  std::string_view path;    // what to forward: the origin-form of target ("/" when absolute-form has no path)
  std::string_view
      host;       // of the Host field, or of an absolute-form target, which wins (RFC 9112 section 3.2.2)
  int minor = 1;  // HTTP/1.minor
  HeaderFields fields;
  BodyKind body = BodyKind::none;
  std::uint64_t content_length = 0;  // BodyKind::length
  bool keep_alive = true;            // by version and Connection
  bool upgrade_websocket = false;    // GET, HTTP/1.1, Connection names upgrade, Upgrade names websocket
  bool expect_continue = false;      // never in HTTP/1.0; only with a body
  bool nominates = false;            // Connection names fields that apply to this hop only
  bool says_https = false;           // X-Forwarded-Proto is https
  bool passed_hops = false;          // has Via or Probegate-Hop
  bool plain = true;                 // llhttp can parse it unchanged
};

bool accepts_trailers(const RequestHead& request);  // TE says so

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  int minor = 1;
  HeaderFields fields;
  BodyKind body = BodyKind::none;  // what follows on the wire, given the request's method
  std::uint64_t content_length = 0;
  bool keep_alive = true;
  bool has_content_length = false;  // also where no body follows (HEAD, 304)
  bool nominates = false;           // as in requests
  bool plain = true;                // as in requests
};

}  // namespace probegate::proto
