#include "config/describe.h"

#include <algorithm>

#include "base/url.h"

namespace probegate::config {

std::string quote(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  auto shown = text.starts_with('/') ? std::string(text) : redact_url(text);
  if (shown.size() > kLongest) {
    auto end = kLongest;
    while ((shown[end] & 0xC0) == 0x80) --end;  // do not cut inside a character
    shown = shown.substr(0, end) + "...";
  }
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  std::replace_if(shown.begin(), shown.end(), control, ' ');
  return "\"" + shown + "\"";
}

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null: return "empty";
    case Node::Kind::list: return "a list";
    case Node::Kind::map: return "a mapping";
    case Node::Kind::scalar: break;
  }
  return quote(node.text);
}

}  // namespace probegate::config
