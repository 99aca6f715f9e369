#include "proto/http_forward.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"

namespace probegate::proto {
namespace {

void put(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void put_number(std::string& out, std::string_view name, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
  put(out, name, {digits.data(), static_cast<std::size_t>(end - digits.data())});
}

void put_via(std::string& out, int minor) {
  out.append(minor == 0 ? "Via: 1.0 probegate\r\n" : "Via: 1.1 probegate\r\n");
}

// For names that a backend may see through CGI glasses, where "-" and "_" are one.
bool same_to_cgi(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return iequals({&x, 1}, {&y, 1}) || ((x == '-' || x == '_') && (y == '-' || y == '_'));
         });
}

// The fields that Connection names: they are for this hop alone, whatever they are.
class Nominated {
 public:
  explicit Nominated(const HeaderFields& fields) {
    for (const HeaderField& field : fields) {
      if (field.known == FieldName::connection) add(field.value);
    }
  }
  bool contains(std::string_view name) const {
    const auto end = names_.begin() + count_;
    return std::any_of(names_.begin(), end, [name](std::string_view other) { return iequals(name, other); });
  }

 private:
  void add(std::string_view options) {
    ListReader list(options);
    for (std::string_view option; list.next(option);) {
      if (iequals(option, "close") || iequals(option, "keep-alive") || iequals(option, "upgrade")) continue;
      if (count_ < static_cast<std::ptrdiff_t>(names_.size()))
        names_[static_cast<std::size_t>(count_++)] = option;
    }
  }

  std::array<std::string_view, kMostConnectionOptions> names_;  // the parser refuses heads with more
  std::ptrdiff_t count_ = 0;
};

bool is_dropped(std::string_view name, const std::vector<std::string>& drop) {
  return std::any_of(drop.begin(), drop.end(),
                     [name](const std::string& other) { return same_to_cgi(name, other); });
}

// RFC 9110 section 7.6.2: the count goes down by one with every hop.
void put_max_forwards(std::string& out, const HeaderField& field) {
  const auto left = parse_decimal<std::uint32_t>(field.value);
  if (left && *left > 0) {
    put_number(out, field.name, *left - 1);
  } else {
    put(out, field.name, field.value);
  }
}

// What the fields of the request said, for what is written after them.
struct Seen {
  bool request_id = false, content_length = false, te_trailers = false;
  bool forwarded_host = false, forwarded_proto = false;
  bool forwarded_for = false;
};

void put_request_field(std::string& out, const RequestHead& request, const ClientView& client,
                       const HeaderField& field, Seen& seen) {
  switch (field.known) {
    case FieldName::connection:
    case FieldName::host:
    case FieldName::keep_alive:
    case FieldName::proxy:
    case FieldName::transfer_encoding:
    case FieldName::upgrade:
    case FieldName::ambiguous: return;
    case FieldName::content_length: seen.content_length = true; return;
    case FieldName::te: seen.te_trailers = seen.te_trailers || list_contains(field.value, "trailers"); return;
    case FieldName::forwarded_for: seen.forwarded_for = true; return;
    case FieldName::forwarded_host:
      if (!client.trusted) return;
      seen.forwarded_host = true;
      break;
    case FieldName::forwarded_proto:
      if (!client.trusted) return;
      seen.forwarded_proto = true;
      break;
    case FieldName::trailer:
      if (request.body != BodyKind::chunked) return;
      break;
    case FieldName::expect:
      if (request.minor == 0) return;
      break;
    case FieldName::request_id:
      if (field.value.empty()) return;
      seen.request_id = true;
      break;
    case FieldName::max_forwards: return put_max_forwards(out, field);
    case FieldName::via:
    case FieldName::other: break;
  }
  put(out, field.name, field.value);
}

// One field, whatever came: the entries of a trusted peer, in order, and the peer itself.
void put_forwarded_for(std::string& out, const HeaderFields& fields, const Nominated& nominated,
                       const ClientView& client) {
  const std::size_t begin = out.size();
  out.append("X-Forwarded-For: ");
  const std::size_t empty = out.size();
  const auto entry = [&](std::string_view text) {
    if (text.empty()) return;
    if (out.size() > empty) out.append(", ");
    out.append(text);
  };
  if (client.trusted && !nominated.contains("x-forwarded-for")) {
    for (const HeaderField& field : fields) {
      if (field.known == FieldName::forwarded_for) entry(field.value);
    }
  }
  entry(client.address.substr(0, client.address.find('%')));  // a zone means nothing elsewhere
  if (out.size() == empty) {
    out.resize(begin);
  } else {
    out.append("\r\n");
  }
}

void put_status_line(std::string& out, int status, std::string_view reason) {
  std::array<char, 3> digits{};
  std::to_chars(digits.begin(), digits.end(), status);
  out.append("HTTP/1.1 ").append(digits.data(), digits.size()).append(" ").append(reason).append("\r\n");
}

// `required` is the Upgrade field of a 426, which has to come along, named (RFC 9110 section 15.5.22).
void put_connection(std::string& out, ConnectionField connection, const HeaderField* required) {
  if (connection == ConnectionField::upgrade) {
    out.append("Connection: Upgrade\r\nUpgrade: websocket\r\n");
    return;
  }
  if (required != nullptr) put(out, required->name, required->value);
  switch (connection) {
    case ConnectionField::keep_alive:
      put(out, "Connection", required != nullptr ? "keep-alive, Upgrade" : "keep-alive");
      break;
    case ConnectionField::close:
      put(out, "Connection", required != nullptr ? "close, Upgrade" : "close");
      break;
    default:
      if (required != nullptr) put(out, "Connection", "Upgrade");
      break;
  }
}

}  // namespace

void write_request_head(const RequestHead& request, const ClientView& client,
                        std::string_view backend_authority, const std::vector<std::string>& drop,
                        std::string_view add, std::string& out) {
  out.append(request.method).append(" ").append(request.path).append(" HTTP/1.1\r\n");
  put(out, "Host", request.host.empty() ? backend_authority : request.host);

  const Nominated nominated(request.fields);
  Seen seen;
  for (const HeaderField& field : request.fields) {
    if (nominated.contains(field.name) && field.known != FieldName::te) continue;
    if (is_dropped(field.name, drop)) continue;
    put_request_field(out, request, client, field, seen);
  }

  put_forwarded_for(out, request.fields, nominated, client);
  if (!seen.forwarded_proto) put(out, "X-Forwarded-Proto", client.scheme);
  if (!seen.forwarded_host && !request.host.empty()) put(out, "X-Forwarded-Host", request.host);
  if (!seen.request_id && !client.request_id.empty()) put(out, "X-Request-Id", client.request_id);
  put_via(out, request.minor);
  out.append(add);

  if (request.body == BodyKind::chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (seen.content_length) {
    put_number(out, "Content-Length", request.content_length);
  }
  if (request.upgrade_websocket) {
    out.append("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  } else if (seen.te_trailers) {
    out.append("TE: trailers\r\nConnection: TE\r\n");
  }
  out.append("\r\n");
}

void write_response_head(const ResponseHead& response, int client_minor, ConnectionField connection,
                         bool rechunk, std::string& out) {
  const bool chunked = client_minor >= 1 && (response.body == BodyKind::chunked ||
                                             (rechunk && response.body == BodyKind::until_close));
  put_status_line(out, response.status, response.reason);

  const Nominated nominated(response.fields);
  const HeaderField* required = nullptr;  // Upgrade of a 426
  for (const HeaderField& field : response.fields) {
    switch (field.known) {
      case FieldName::connection:
      case FieldName::content_length:
      case FieldName::keep_alive:
      case FieldName::proxy:
      case FieldName::te:
      case FieldName::transfer_encoding: continue;
      case FieldName::upgrade:
        if (response.status == 426) required = &field;
        continue;
      case FieldName::trailer:
        if (!chunked) continue;
        break;
      default: break;
    }
    if (!nominated.contains(field.name)) put(out, field.name, field.value);
  }
  put_via(out, response.minor);

  // RFC 9110 section 8.6: never in 1xx and 204; in answers to HEAD and in 304 it tells of a body that does
  // not follow.
  if (chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (response.has_content_length && response.status >= 200 && response.status != 204) {
    put_number(out, "Content-Length", response.content_length);
  }
  put_connection(out, connection, required);
  out.append("\r\n");
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 417: return "Expectation Failed";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "";
  }
}

}  // namespace probegate::proto
