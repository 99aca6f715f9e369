#include "proto/http_message.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace probegate::proto {
namespace {

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); }

// `canonical` is lower case. Also detects names that are equal only after conversion to CGI names.
FieldName match(std::string_view name, std::string_view canonical, FieldName known) {
  bool ambiguous = false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if ((name[i] | 0x20) == canonical[i]) continue;  // names are tokens: no control character becomes a "-"
    if (canonical[i] != '-' || is_alphanumeric(name[i])) return FieldName::other;
    ambiguous = true;
  }
  return ambiguous ? FieldName::ambiguous : known;
}

FieldName match_either(std::string_view name, std::string_view first, FieldName if_first,
                       std::string_view second, FieldName if_second) {
  const FieldName found = match(name, first, if_first);
  return found != FieldName::other ? found : match(name, second, if_second);
}

// The end of the first list element, which contains a quoted string.
std::size_t end_of_quoted(std::string_view list) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < list.size() && (quoted || list[end] != ','); ++end) {
    if (list[end] == '"') quoted = !quoted;
    if (quoted && list[end] == '\\') ++end;
  }
  return std::min(end, list.size());  // a backslash may have been the last byte
}

// Called for every field of every head, so it switches by length first: most names need no comparison.
FieldName name_of(std::string_view name) {
  switch (name.size()) {
    case 2: return match(name, "te", FieldName::te);
    case 3: return match(name, "via", FieldName::via);
    case 4: return match_either(name, "host", FieldName::host, "date", FieldName::date);
    case 6: return match(name, "expect", FieldName::expect);
    case 7: return match_either(name, "upgrade", FieldName::upgrade, "trailer", FieldName::trailer);
    case 10:
      return match_either(name, "connection", FieldName::connection, "keep-alive", FieldName::keep_alive);
    case 12:
      return match_either(name, "x-request-id", FieldName::request_id, "max-forwards",
                          FieldName::max_forwards);
    case 13: return match(name, "probegate-hop", FieldName::hop);
    case 14: return match(name, "content-length", FieldName::content_length);
    case 15: return match(name, "x-forwarded-for", FieldName::forwarded_for);
    case 16:
      return match_either(name, "x-forwarded-host", FieldName::forwarded_host, "proxy-connection",
                          FieldName::proxy);
    case 17:
      return match_either(name, "transfer-encoding", FieldName::transfer_encoding, "x-forwarded-proto",
                          FieldName::forwarded_proto);
    case 18: return match(name, "proxy-authenticate", FieldName::proxy);
    case 19: return match(name, "proxy-authorization", FieldName::proxy);
    default: return FieldName::other;
  }
}

constexpr std::string_view kWebsocket = "sec-websocket-";

FieldName websocket_name(std::string_view name) {
  const auto rest = name.substr(kWebsocket.size());
  if (!iequals(name.substr(0, kWebsocket.size()), kWebsocket)) return FieldName::other;
  if (iequals(rest, "key")) return FieldName::websocket_key;
  if (iequals(rest, "accept")) return FieldName::websocket_accept;
  if (iequals(rest, "version")) return FieldName::websocket_version;
  if (iequals(rest, "protocol")) return FieldName::websocket_protocol;
  if (iequals(rest, "extensions")) return FieldName::websocket_extensions;
  return FieldName::other;
}

}  // namespace

FieldName field_name(std::string_view name) {
  if (name.size() > kWebsocket.size() && (name[0] | 0x20) == 's') return websocket_name(name);
  const FieldName found = name_of(name);
  constexpr std::string_view kForwarded = "x-forwarded-";
  if (found != FieldName::other || name.size() <= kForwarded.size() || (name[0] | 0x20) != 'x') return found;
  const bool forwarded =
      match(name.substr(0, kForwarded.size()), kForwarded, FieldName::forwarded_other) != FieldName::other;
  return forwarded ? FieldName::forwarded_other : FieldName::other;
}

bool same_to_cgi(std::string_view a, std::string_view b) {
  const auto normal = [](char c) { return is_alphanumeric(c) ? static_cast<char>(c | 0x20) : '_'; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return normal(x) == normal(y); });
}

bool accepts_trailers(const RequestHead& request) {
  return std::any_of(request.fields.begin(), request.fields.end(), [](const HeaderField& field) {
    return field.known == FieldName::te && list_contains(field.value, "trailers");
  });
}

const HeaderField* HeaderFields::find(std::string_view name) const {
  const auto found =
      std::find_if(begin(), end(), [name](const HeaderField& field) { return iequals(field.name, name); });
  return found == end() ? nullptr : &*found;
}

const HeaderField* HeaderFields::find(FieldName name) const {
  const auto found =
      std::find_if(begin(), end(), [name](const HeaderField& field) { return field.known == name; });
  return found == end() ? nullptr : &*found;
}

std::string_view HeaderFields::get(std::string_view name) const {
  const HeaderField* const field = find(name);
  return field != nullptr ? field->value : std::string_view();
}

std::string_view HeaderFields::get(FieldName name) const {
  const HeaderField* const field = find(name);
  return field != nullptr ? field->value : std::string_view();
}

std::size_t HeaderFields::count(FieldName name) const {
  return static_cast<std::size_t>(
      std::count_if(begin(), end(), [name](const HeaderField& field) { return field.known == name; }));
}

std::size_t HeaderFields::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(begin(), end(), [name](const HeaderField& field) { return iequals(field.name, name); }));
}

bool HeaderFields::has_token(FieldName name, std::string_view token) const {
  return std::any_of(begin(), end(), [name, token](const HeaderField& field) {
    return field.known == name && list_contains(field.value, token);
  });
}

bool ListReader::next(std::string_view& element) {
  while (!rest_.empty()) {
    std::size_t end = std::min(rest_.find(','), rest_.size());
    if (rest_.substr(0, end).find('"') != std::string_view::npos) end = end_of_quoted(rest_);
    element = trim(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (!element.empty()) return true;
  }
  return false;
}

}  // namespace probegate::proto
