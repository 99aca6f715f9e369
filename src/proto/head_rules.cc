#include "proto/head_rules.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "proto/head_scan.h"

namespace probegate::proto {
namespace {

using Problem = std::optional<HttpError>;

HttpError bad(std::string_view detail) { return {400, detail}; }

// The methods of llhttp's table that have no special meaning for it. Any other token is forwarded too, but
// llhttp gets POST instead.
constexpr std::array<std::string_view, 31> kMethods{
    "GET",    "POST",      "HEAD",        "PUT",      "DELETE",     "OPTIONS",  "PATCH",  "COPY",
    "LOCK",   "MKCOL",     "MOVE",        "PROPFIND", "PROPPATCH",  "SEARCH",   "UNLOCK", "BIND",
    "REBIND", "UNBIND",    "ACL",         "REPORT",   "MKACTIVITY", "CHECKOUT", "MERGE",  "M-SEARCH",
    "NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE", "PURGE",    "MKCALENDAR", "LINK",     "UNLINK"};

// Fields not allowed in trailers of a request, in addition to those the proxy handles by name:
// credentials, conditions and descriptions of the content. A backend that merges trailers into the header
// fields would trust them.
constexpr std::array<std::string_view, 18> kNoTrailers{"authorization",
                                                       "cookie",
                                                       "content-encoding",
                                                       "content-range",
                                                       "content-type",
                                                       "cache-control",
                                                       "pragma",
                                                       "range",
                                                       "if-match",
                                                       "if-none-match",
                                                       "if-range",
                                                       "if-modified-since",
                                                       "if-unmodified-since",
                                                       "origin",
                                                       "set-cookie",
                                                       "forwarded",
                                                       "x-real-ip",
                                                       "true-client-ip"};

// All values that determine framing and connection handling, collected in one pass over the fields.
struct Control {
  const HeaderField* host = nullptr;
  const HeaderField* content_length = nullptr;
  const HeaderField* transfer_encoding = nullptr;
  std::size_t options = 0;  // in Connection
  int hosts = 0, content_lengths = 0, transfer_encodings = 0;
  bool close = false, keep_alive = false, upgrade = false;  // Connection names them
  bool websocket = false;                                   // Upgrade names it
  bool nominates = false;                                   // Connection names other fields
  bool expect_continue = false;
  bool names_framing = false;  // Connection names a framing field
  bool identity = false;       // a response has only "Transfer-Encoding: identity", which has no meaning
  bool passed_hops = false;    // Via, Probegate-Hop
  bool says_https = false;     // X-Forwarded-Proto
};

Problem read_connection(std::string_view value, Control& control) {
  ListReader list(value);
  for (std::string_view option; list.next(option);) {
    if (++control.options > kMostConnectionOptions) return bad("too many options in Connection");
    switch (field_name(option)) {
      case FieldName::keep_alive: control.keep_alive = true; break;
      case FieldName::upgrade: control.upgrade = true; break;
      case FieldName::host:
      case FieldName::content_length:
      case FieldName::transfer_encoding: control.names_framing = true; break;
      default: (iequals(option, "close") ? control.close : control.nominates) = true; break;
    }
  }
  return std::nullopt;
}

enum class Of { request, answer };

Problem gather(const HeaderFields& fields, Of of, Control& control) {
  for (const HeaderField& field : fields) {
    switch (field.known) {
      case FieldName::host:
        control.host = &field;
        ++control.hosts;
        break;
      case FieldName::content_length:
        control.content_length = &field;
        ++control.content_lengths;
        break;
      case FieldName::transfer_encoding:
        if (of == Of::answer && iequals(field.value, "identity")) {  // gone since RFC 7230
          control.identity = true;
          break;
        }
        control.transfer_encoding = &field;
        ++control.transfer_encodings;
        break;
      case FieldName::connection:
        if (auto wrong = read_connection(field.value, control)) return wrong;
        break;
      case FieldName::upgrade:
        control.websocket = control.websocket || list_contains(field.value, "websocket");
        break;
      case FieldName::expect:
        control.expect_continue = control.expect_continue || list_contains(field.value, "100-continue");
        break;
      case FieldName::forwarded_proto:
        control.says_https = control.says_https || list_contains(field.value, "https");
        break;
      case FieldName::via:
      case FieldName::hop: control.passed_hops = true; break;
      default: break;
    }
  }
  return std::nullopt;
}

// Rejects messages for which two parsers could find different ends.
Problem framing_problem(const Control& control) {
  if (control.names_framing) return bad("Connection names a field that frames the message");
  if (control.content_lengths > 1) return bad("two Content-Length fields");
  if (control.transfer_encodings > 1) return bad("two Transfer-Encoding fields");
  if (control.content_length != nullptr && control.transfer_encoding != nullptr) {
    return bad("both Content-Length and Transfer-Encoding");
  }
  return std::nullopt;
}

bool is_chunked(const Control& control) {
  return control.transfer_encoding != nullptr && iequals(control.transfer_encoding->value, "chunked");
}

// The error for a value other than "chunked": 501 if the only problem is an unknown coding (RFC 9112 section
// 6.1), 400 if two parsers could disagree whether the body is chunked.
HttpError transfer_encoding_problem(std::string_view value) {
  constexpr HttpError kUnclear{400, "a Transfer-Encoding that is not exactly chunked"};
  ListReader list(value);
  bool chunked = false, unknown = false;
  for (std::string_view coding; list.next(coding);) {
    if (chunked || !is_token(coding) || iequals(coding, "identity")) return kUnclear;
    chunked = iequals(coding, "chunked");
    if (!chunked && to_lower(coding).find("chunked") != std::string::npos) return kUnclear;
    unknown = unknown || !chunked;
  }
  return unknown ? HttpError{501, "a transfer coding other than chunked"} : kUnclear;
}

Problem read_content_length(const Control& control, std::uint64_t& length) {
  const auto value = parse_decimal<std::uint64_t>(control.content_length->value);
  if (!value) return bad("a Content-Length that is not one number");
  if (*value > kMostBody) return bad("a Content-Length above 2^63-1");
  length = *value;
  return std::nullopt;
}

bool keeps_alive(int minor, const Control& control) {
  return !control.close && (minor >= 1 || control.keep_alive);
}

Problem read_host(RequestHead& head, const Control& control) {
  if (control.hosts > 1) return bad("two Host fields");
  if (control.host == nullptr) {
    if (head.minor >= 1) return bad("no Host field");
    return std::nullopt;
  }
  if (!is_host(control.host->value)) return bad("an invalid Host field");
  head.host = control.host->value;
  return std::nullopt;
}

// Origin-form, absolute-form or "*" (RFC 9112 section 3.2).
Problem read_target(RequestHead& head, std::string& path_storage) {
  head.path = head.target;
  if (head.target.starts_with('/')) return std::nullopt;
  if (head.target == "*") {
    if (head.method == "OPTIONS") return std::nullopt;
    return bad("the target \"*\" is for OPTIONS only");
  }
  std::size_t scheme = 0;
  for (const std::string_view known : {"http://", "https://"}) {
    if (iequals(head.target.substr(0, known.size()), known)) scheme = known.size();
  }
  if (scheme == 0) return bad("a request target that is neither a path nor an http URL");
  const auto rest = head.target.substr(scheme);
  const auto authority = rest.substr(0, rest.find_first_of("/?"));
  if (!is_host(authority)) return bad("an invalid host in the request target");
  head.host = authority;
  head.path = rest.substr(authority.size());
  if (head.path.empty()) {
    head.path = head.method == "OPTIONS" ? "*" : "/";
  } else if (head.path.front() == '?') {
    path_storage.assign("/").append(head.path);
    head.path = path_storage;
  }
  return std::nullopt;
}

Problem read_request_body(RequestHead& head, const Control& control) {
  if (control.transfer_encoding != nullptr) {
    if (head.minor == 0) return bad("Transfer-Encoding in an HTTP/1.0 request");
    if (!is_chunked(control)) return transfer_encoding_problem(control.transfer_encoding->value);
    head.body = BodyKind::chunked;
  } else if (control.content_length != nullptr) {
    if (auto wrong = read_content_length(control, head.content_length)) return wrong;
    if (head.content_length > 0) head.body = BodyKind::length;
  }
  return std::nullopt;
}

}  // namespace

const std::string& usual_methods() {
  static const std::string list = [] {
    std::string text;
    for (const std::string_view method : kMethods) text.append(text.empty() ? "" : ", ").append(method);
    return text;
  }();
  return list;
}

std::optional<HttpError> judge_request(RequestHead& head, std::string& path_storage) {
  if (std::find(kMethods.begin(), kMethods.end(), head.method) == kMethods.end()) {
    if (head.method == "CONNECT") return HttpError{501, "CONNECT is not supported by a gateway"};
    if (head.method == "TRACE")
      return HttpError{405, "TRACE is not allowed, because it would show fields added for the backend"};
    head.plain = false;
  }
  Control control;
  if (auto wrong = gather(head.fields, Of::request, control)) return wrong;
  if (auto wrong = framing_problem(control)) return wrong;
  if (auto wrong = read_host(head, control)) return wrong;
  if (auto wrong = read_target(head, path_storage)) return wrong;
  if (auto wrong = read_request_body(head, control)) return wrong;

  head.keep_alive = keeps_alive(head.minor, control);
  head.nominates = control.nominates;
  head.says_https = control.says_https;
  head.passed_hops = control.passed_hops;
  head.expect_continue = control.expect_continue && head.minor >= 1 && head.body != BodyKind::none;
  if (control.upgrade && control.websocket && head.minor >= 1) {
    if (head.method != "GET") return bad("an upgrade to websocket by a method other than GET");
    if (head.body != BodyKind::none) return bad("an upgrade to websocket with a body");
    head.upgrade_websocket = true;
  }
  return std::nullopt;
}

std::optional<HttpError> judge_response(ResponseHead& head, bool to_head_request) {
  Control control;
  if (auto wrong = gather(head.fields, Of::answer, control)) return wrong;
  head.keep_alive = keeps_alive(head.minor, control);
  head.nominates = control.nominates;
  // RFC 9112 section 6.3: an interim response ends at its empty line; framing fields are ignored.
  if (head.status < 200) return std::nullopt;
  if (auto wrong = framing_problem(control)) return wrong;
  if (control.identity) head.plain = false;
  if (control.content_length != nullptr) {
    if (auto wrong = read_content_length(control, head.content_length)) return wrong;
    head.has_content_length = true;
  }
  if (control.transfer_encoding != nullptr) {
    if (head.minor == 0) return bad("Transfer-Encoding in an HTTP/1.0 answer");
    // We never offered another coding.
    if (!is_chunked(control)) return bad("a transfer coding that was not asked for");
  }

  if (head.status == 204 || head.status == 304 || to_head_request) {
    const bool announced = head.content_length > 0 || control.transfer_encoding != nullptr;
    // The sender may still send the forbidden body, so later bytes cannot be trusted to be the next response.
    if (head.status == 204 && announced) head.keep_alive = false;
  } else if (is_chunked(control)) {
    head.body = BodyKind::chunked;
  } else if (head.has_content_length) {
    head.body = head.content_length > 0 ? BodyKind::length : BodyKind::none;
  } else {
    head.body = BodyKind::until_close;
    head.keep_alive = false;
  }
  return std::nullopt;
}

std::optional<HttpError> judge_trailers(const HeaderFields& trailers, bool of_request,
                                        const std::vector<std::string>* forbidden) {
  constexpr std::string_view kWrong = "a field that is not allowed in trailers";
  for (const HeaderField& field : trailers) {
    switch (field.known) {
      case FieldName::other:
      case FieldName::date:
      case FieldName::request_id:
      case FieldName::via:
      case FieldName::websocket_accept:
      case FieldName::websocket_extensions:
      case FieldName::websocket_key:
      case FieldName::websocket_protocol:
      case FieldName::websocket_version: break;
      default: return bad(kWrong);
    }
    if (!of_request) continue;
    const auto is_it = [&](std::string_view name) { return same_to_cgi(field.name, name); };
    if (std::any_of(kNoTrailers.begin(), kNoTrailers.end(), is_it)) return bad(kWrong);
    if (forbidden != nullptr && std::any_of(forbidden->begin(), forbidden->end(), is_it)) return bad(kWrong);
  }
  return std::nullopt;
}

}  // namespace probegate::proto
