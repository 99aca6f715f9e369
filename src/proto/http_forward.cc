#include "proto/http_forward.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"

namespace probegate::proto {
namespace {

// Appends to a string with one size check and one copy per piece; the string is truncated to its size
// at the end.
class HeadWriter {
 public:
  explicit HeadWriter(std::string& out) : out_(out), size_(out.size()) {
    constexpr std::size_t kMostHeads = 1000;  // slightly larger blocks are slower in malloc
    out_.resize(size_ + kMostHeads);
  }
  ~HeadWriter() { out_.resize(size_); }
  HeadWriter(const HeadWriter&) = delete;
  HeadWriter& operator=(const HeadWriter&) = delete;

  // Inlined because most pieces are literals, whose copies then become one or two moves.
  [[gnu::always_inline]] HeadWriter& text(std::string_view piece) {
    if (out_.size() - size_ < piece.size()) out_.resize(2 * out_.size() + piece.size());
    piece.copy(out_.data() + size_, piece.size());
    size_ += piece.size();
    return *this;
  }
  HeadWriter& number(std::uint64_t number) {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
    return text({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }
  [[gnu::always_inline]] void end_line() { text("\r\n"); }

  // Unchanged: usually name, colon, space and value are adjacent in memory and need one copy.
  void field(const HeaderField& field) {
    const char* const between = field.name.data() + field.name.size();
    if (field.value.data() == between + 2 && between[0] == ':' && between[1] == ' ') {
      text({field.name.data(), field.name.size() + 2 + field.value.size()});
    } else {
      text(field.name).text(": ").text(field.value);
    }
    end_line();
  }
  void via(int minor, std::string_view name) {
    text(minor == 0 ? "Via: 1.0 " : "Via: 1.1 ").text(name).end_line();
  }

  std::size_t size() const { return size_; }
  void cut(std::size_t size) { size_ = size; }

 private:
  std::string& out_;
  std::size_t size_;
};

// The fields named in Connection: they apply to this hop only.
class Nominated {
 public:
  template <typename Head>
  explicit Nominated(const Head& head) {
    if (!head.nominates) return;
    for (const HeaderField& field : head.fields) {
      if (field.known == FieldName::connection) add(field.value);
    }
  }
  bool contains(std::string_view name) const {
    if (count_ == 0) return false;
    const auto end = names_.begin() + count_;
    return std::any_of(names_.begin(), end, [name](std::string_view other) { return iequals(name, other); });
  }

 private:
  void add(std::string_view options) {
    ListReader list(options);
    for (std::string_view option; list.next(option);) {
      const FieldName known = field_name(option);
      if (known == FieldName::keep_alive || known == FieldName::upgrade || iequals(option, "close")) continue;
      if (count_ < static_cast<std::ptrdiff_t>(names_.size()))
        names_[static_cast<std::size_t>(count_++)] = option;
    }
  }

  std::array<std::string_view, kMostConnectionOptions> names_;  // the parser rejects heads with more
  std::ptrdiff_t count_ = 0;
};

bool is_dropped(std::string_view name, const std::vector<std::string>& drop) {
  return std::any_of(drop.begin(), drop.end(),
                     [name](const std::string& other) { return same_to_cgi(name, other); });
}

// RFC 9110 section 7.6.2: each hop decrements the count.
void put_max_forwards(HeadWriter& out, const HeaderField& field) {
  const auto left = parse_decimal<std::uint32_t>(field.value);
  if (!left || *left == 0) return out.field(field);
  out.text(field.name).text(": ").number(*left - 1).end_line();
}

// Records which fields the request has, for the fields added after them.
struct Seen {
  bool request_id = false, content_length = false, te_trailers = false;
  bool forwarded_host = false, forwarded_proto = false;
  bool forwarded_for = false;
};

void put_request_field(HeadWriter& out, const RequestHead& request, const ClientView& client,
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
    case FieldName::forwarded_other:
      if (!client.trusted) return;
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
    case FieldName::date:
    case FieldName::hop: break;
    case FieldName::max_forwards: return put_max_forwards(out, field);
    case FieldName::via:
    case FieldName::websocket_accept:
    case FieldName::websocket_extensions:
    case FieldName::websocket_key:
    case FieldName::websocket_protocol:
    case FieldName::websocket_version:
    case FieldName::other: break;
  }
  out.field(field);
}

// Always one field: the entries of a trusted peer, in order, and the peer itself.
void put_forwarded_for(HeadWriter& out, const HeaderFields& fields, bool keep_entries,
                       const ClientView& client) {
  const std::size_t begin = out.size();
  out.text("X-Forwarded-For: ");
  const std::size_t empty = out.size();
  const auto entry = [&](std::string_view text) {
    if (text.empty()) return;
    if (out.size() > empty) out.text(", ");
    out.text(text);
  };
  if (keep_entries) {
    for (const HeaderField& field : fields) {
      if (field.known == FieldName::forwarded_for) entry(field.value);
    }
  }
  entry(client.address.substr(0, client.address.find('%')));  // a zone is valid on this host only
  if (out.size() == empty) return out.cut(begin);
  out.end_line();
}

// `required` is the Upgrade field of a 426, which must be forwarded and named in Connection (RFC
// 9110 section 15.5.22).
void put_connection(HeadWriter& out, ConnectionField connection, const HeaderField* required) {
  if (connection == ConnectionField::upgrade) {
    out.text("Connection: Upgrade\r\nUpgrade: websocket\r\n");
    return;
  }
  if (required != nullptr) out.field(*required);
  switch (connection) {
    case ConnectionField::keep_alive: out.text("Connection: keep-alive"); break;
    case ConnectionField::close: out.text("Connection: close"); break;
    default:
      if (required != nullptr) out.text("Connection: Upgrade").end_line();
      return;
  }
  if (required != nullptr) out.text(", Upgrade");
  out.end_line();
}

}  // namespace

void write_request_head(const RequestHead& request, const ClientView& client, const Hop& hop,
                        std::string_view backend_authority, const std::vector<std::string>& drop,
                        std::string_view add, std::string& out) {
  HeadWriter head(out);
  head.text(request.method).text(" ").text(request.path).text(" HTTP/1.1\r\nHost: ");
  head.text(request.host.empty() ? backend_authority : request.host).end_line();

  const Nominated nominated(request);
  Seen seen;
  for (const HeaderField& field : request.fields) {
    if (nominated.contains(field.name) && field.known != FieldName::te) continue;
    if (!drop.empty() && is_dropped(field.name, drop)) continue;
    put_request_field(head, request, client, field, seen);
  }

  put_forwarded_for(head, request.fields, client.trusted && seen.forwarded_for, client);
  if (!seen.forwarded_proto) head.text("X-Forwarded-Proto: ").text(client.scheme).end_line();
  if (!seen.forwarded_host && !request.host.empty())
    head.text("X-Forwarded-Host: ").text(request.host).end_line();
  if (!seen.request_id && !client.request_id.empty())
    head.text("X-Request-Id: ").text(client.request_id).end_line();
  if (hop.via) {
    head.via(request.minor, hop.name);
  } else {
    head.text("Probegate-Hop: ").text(hop.name).end_line();
  }
  head.text(add);

  if (request.body == BodyKind::chunked) {
    head.text("Transfer-Encoding: chunked\r\n");
  } else if (seen.content_length) {
    head.text("Content-Length: ").number(request.content_length).end_line();
  }
  if (request.upgrade_websocket) {
    head.text("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  } else if (seen.te_trailers) {
    head.text("TE: trailers\r\nConnection: TE\r\n");
  }
  head.end_line();
}

void write_response_head(const ResponseHead& response, const AnswerView& view, std::string& out) {
  const bool chunked = view.client_minor >= 1 && response.body == BodyKind::chunked;
  HeadWriter head(out);
  head.text("HTTP/1.1 ")
      .number(static_cast<std::uint64_t>(response.status))
      .text(" ")
      .text(response.reason)
      .end_line();

  const Nominated nominated(response);
  const HeaderField* required = nullptr;  // Upgrade of a 426
  bool dated = view.date.empty() || response.status < 200;
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
        if (!chunked || !view.trailers) continue;
        break;
      default: break;
    }
    if (nominated.contains(field.name)) continue;
    head.field(field);
    dated = dated || field.known == FieldName::date;
  }
  if (!dated) head.text("Date: ").text(view.date).end_line();
  if (!view.via.empty()) head.via(response.minor, view.via);

  // RFC 9110 section 8.6: never in 1xx and 204; in answers to HEAD and in 304 it describes a body that
  // is not sent.
  if (chunked) {
    head.text("Transfer-Encoding: chunked\r\n");
  } else if (response.has_content_length && response.status >= 200 && response.status != 204) {
    head.text("Content-Length: ").number(response.content_length).end_line();
  }
  put_connection(head, view.connection, required);
  head.end_line();
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
    case 508: return "Loop Detected";
    default: return "";
  }
}

}  // namespace probegate::proto
