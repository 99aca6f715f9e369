#include "config/effective.h"

#include <algorithm>
#include <cstdio>

#include "base/text.h"

namespace probegate::config {
namespace {

// True when every YAML parser reads the unquoted text as a string: not a number, not a boolean, no syntax.
bool plain(std::string_view text) {
  constexpr std::string_view kWords[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
  constexpr std::string_view kInside = "_./:+-@%=*";
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto inside = [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || kInside.find(c) != kInside.npos;
  };
  if (text.empty() || text.ends_with(':') || !(letter(text.front()) || text.front() == '/')) return false;
  if (std::any_of(std::begin(kWords), std::end(kWords), [&](auto word) { return iequals(word, text); }))
    return false;
  return std::all_of(text.begin(), text.end(), inside);
}

std::string quoted(std::string_view text) {
  if (plain(text)) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append({'\\', c});
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", byte);
      out += escape;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// Sections of checks and alerts that are not in the file. They are not printed, because a written one changes
// the meaning: `tls: {}` turns TLS on.
bool is_absent(const Shown& shown) {
  return shown.kind == "section" && !shown.children.empty() && shown.children.front().second->absent;
}

void write(const Node& node, const std::string& indent, std::string& out, bool inside_list = false);

void write_children(const Shown& shown, const std::string& indent, std::string& out) {
  for (const auto& [name, child] : shown.children) {
    if (shown.kind == "section_list") {
      std::string item;
      write(*child, indent + "  ", item, true);
      if (!item.empty()) item[indent.size()] = '-';
      out += item;
    } else if (shown.kind == "sections") {
      out += indent + yaml_key(name) + ":\n";
      write(*child, indent + "  ", out, true);
    } else {
      write(*child, indent, out);
    }
  }
}

void write(const Node& node, const std::string& indent, std::string& out, bool inside_list) {
  for (const auto& shown : node.shown) {
    const bool left_out = !shown.printed || (inside_list && is_absent(shown));
    if (left_out) {
      continue;
    } else if (!shown.children.empty()) {
      out += indent + yaml_key(shown.key) + ":\n";
      write_children(shown, indent + "  ", out);
    } else if (shown.value) {
      out += indent + yaml_key(shown.key) + ": " + *shown.value + "\n";
    }
  }
}

}  // namespace

std::string effective_yaml(const Node& root) {
  std::string out;
  write(root, "", out);
  return out;
}

std::string yaml_value(std::string_view text) {
  std::string doubled;
  for (const char c : text) doubled.append(c == '$' ? 2 : 1, c);
  return quoted(doubled);
}

std::string yaml_key(std::string_view text) { return quoted(text); }

std::string yaml_list(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const auto& text : texts) out += (out.size() > 1 ? ", " : "") + yaml_value(text);
  return out + "]";
}

}  // namespace probegate::config
