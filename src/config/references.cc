#include "config/references.h"

#include <algorithm>

#include "base/text.h"
#include "config/effective.h"
#include "config/expand.h"
#include "config/secrets.h"

namespace probegate::config {
namespace {

constexpr char kReference = '\x02';  // placeholder for a reference in `plain`; occurs in no address

struct Source {
  std::string shown;  // with references; defaults that contain a secret are removed
  std::string plain;  // the literal text
};

// A default that contains a secret is replaced by an error message for loading.
std::string shown_reference(std::string_view reference, const Hide& hide) {
  const auto rest = reference.find(":-");
  if (rest == std::string_view::npos) return std::string(reference);
  const auto fallback = reference.substr(rest + 2, reference.size() - rest - 3);
  if (fallback.empty() || hide(fallback) == fallback) return std::string(reference);
  return std::string(reference.substr(0, rest)) +
         ":?set it; its default contains a secret and was not printed}";
}

Source split_source(std::string_view raw, const Hide& hide) {
  Source source;
  while (!raw.empty()) {
    if (raw.starts_with("$$")) {
      source.shown += "$$";
      source.plain += '$';
      raw.remove_prefix(2);
    } else if (raw.starts_with("${") && raw.find('}') != std::string_view::npos) {
      const auto reference = raw.substr(0, raw.find('}') + 1);
      source.shown += shown_reference(reference, hide);
      source.plain += kReference;
      raw.remove_prefix(reference.size());
    } else {
      source.shown += raw.front();
      source.plain += raw.front();
      raw.remove_prefix(1);
    }
  }
  return source;
}

// True if the part has only references and the given separators.
bool is_referred(std::string_view part, std::string_view marks) {
  return part.find(kReference) != std::string_view::npos &&
         std::all_of(part.begin(), part.end(),
                     [&](char c) { return c == kReference || marks.find(c) != std::string_view::npos; });
}

// The URL without those secret parts that come from references.
std::string without_referred(std::string_view plain) {
  const auto scheme = plain.find("://");
  const auto begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  std::string out(plain.substr(0, begin));
  auto rest = plain.substr(begin);
  const auto authority = rest.substr(0, rest.find_first_of("/?#"));
  if (const auto at = authority.rfind('@'); scheme != std::string_view::npos &&
                                            at != std::string_view::npos &&
                                            is_referred(rest.substr(0, at), ":"))
    rest.remove_prefix(at + 1);
  const auto question = std::min(rest.find('?'), rest.size());
  const auto path = std::min(rest.find('/'), question);
  out += rest.substr(0, path);
  if (const auto text = rest.substr(path, question - path); !is_referred(text, "/")) out += text;
  if (question == rest.size()) return out;
  char separator = '?';
  for (const auto parameter : split(rest.substr(question + 1), '&')) {
    const auto equals = parameter.find('=');
    if (equals != std::string_view::npos && is_referred(parameter.substr(equals + 1), "")) continue;
    (out += separator) += parameter;
    separator = '&';
  }
  return out;
}

}  // namespace

std::string reloadable(const Node& node, const Hide& hide) {
  const auto hidden = hide(node.text);
  if (hidden == node.text || node.raw.empty()) return yaml_value(hidden);
  const auto source = split_source(node.raw, hide);
  std::string_view plain = source.plain;
  for (const std::string_view scheme : {"Bearer ", "Basic ", "Token "}) {  // of an Authorization header
    if (plain.starts_with(scheme)) plain.remove_prefix(scheme.size());
  }
  const bool is_one = plain == std::string(1, kReference);
  const auto is_harmless = [&](std::string text) {
    std::replace(text.begin(), text.end(), kReference, '0');  // valid as a host and as a port
    return hide(text) == text;
  };
  const bool is_open = is_harmless(source.plain) || is_harmless(without_referred(source.plain));
  return is_one || is_open ? yaml_key(source.shown) : yaml_value(hidden);
}

bool has_placeholder(std::string_view text) {
  if (text == kHidden) return true;
  const std::string mark(kHidden);
  for (const auto& sign : {"://" + mark, "=" + mark, ":" + mark + "@", "?" + mark, "&" + mark, "#" + mark}) {
    if (text.find(sign) != std::string_view::npos) return true;
  }
  return text.find("://") != std::string_view::npos && text.ends_with("/" + mark);
}

}  // namespace probegate::config
