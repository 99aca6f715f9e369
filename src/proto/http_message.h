// One HTTP/1.1 head as parsed: views into the bytes it was read from. Requests and responses.
//
// Invariant: every view points into the head's own bytes, which the reader must keep unmoved while it uses them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace probegate::proto {

struct HeaderField {
  std::string_view name;   // as sent
  std::string_view value;  // without surrounding blanks
};

enum class BodyKind {
  none,
  length,       // Content-Length
  chunked,      // Transfer-Encoding: chunked
  until_close,  // responses only
};

class HeaderFields {
 public:
  void clear() { fields_.clear(); }
  void add(std::string_view name, std::string_view value) { fields_.push_back({name, value}); }

  const HeaderField* find(std::string_view name) const;  // the first; ASCII case ignored
  std::string_view get(std::string_view name) const;     // its value, or empty
  std::size_t count(std::string_view name) const;
  bool has_token(std::string_view name, std::string_view token) const;  // in any field of that name, as a list

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<HeaderField> fields_;
};

struct RequestHead {
  std::string_view method;
  std::string_view target;  // as sent; origin-form, absolute-form, or "*" for OPTIONS
  std::string_view path;    // what to forward: the origin-form of target ("/" when absolute-form has no path)
  std::string_view host;    // of the Host field, or of an absolute-form target, which wins (RFC 9112 section 3.2.2)
  int minor = 1;            // HTTP/1.minor
  HeaderFields fields;
  BodyKind body = BodyKind::none;
  std::uint64_t content_length = 0;  // BodyKind::length
  bool keep_alive = true;            // by version and Connection
  bool upgrade_websocket = false;    // GET, HTTP/1.1, Connection names upgrade, Upgrade names websocket
  bool expect_continue = false;      // never in HTTP/1.0
};

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  int minor = 1;
  HeaderFields fields;
  BodyKind body = BodyKind::none;  // what follows on the wire, given the request's method
  std::uint64_t content_length = 0;
  bool keep_alive = true;
  bool has_content_length = false;  // also where no body follows (HEAD, 304)
};

}  // namespace probegate::proto
