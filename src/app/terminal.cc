#include "app/terminal.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace probegate::app {
namespace {

const char* escape_of(Color color) {
  switch (color) {
    case Color::good: return "\x1b[32m";
    case Color::warn: return "\x1b[33m";
    case Color::bad: return "\x1b[31m";
    case Color::dim: return "\x1b[2m";
    case Color::none: return "";
  }
  return "";
}

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

// In code points: what these commands print has no wide or combining characters of its own.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

bool is_terminal(int fd) { return ::isatty(fd) != 0; }

Paint Paint::for_descriptor(int fd) {
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::strcmp(terminal, "dumb") == 0;
  return Paint(is_terminal(fd) && !dumb && !is_set("NO_COLOR"));
}

std::string Paint::operator()(Color color, std::string_view text) const {
  if (!on_ || color == Color::none || text.empty()) return std::string(text);
  return escape_of(color) + std::string(text) + "\x1b[0m";
}

Color color_of_word(std::string_view word) {
  if (word == "ready" || word == "ok" || word == "pass" || word == "open") return Color::good;
  if (word == "warn" || word == "draining" || word == "not_ready" || word == "starting") return Color::warn;
  if (word == "fail" || word == "error" || word == "failed" || word == "closed") return Color::bad;
  if (word == "waiting" || word == "unknown") return Color::dim;
  return Color::none;
}

std::string Table::text(const Paint& paint) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i].text));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string blanks;  // owed before the next cell that is not empty
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width(row[i].text), ' ');
      if (row[i].right) blanks += padding;
      if (!row[i].text.empty()) {
        out += blanks + paint(row[i].color, row[i].text);
        blanks.clear();
      }
      blanks += (row[i].right ? "" : padding) + "  ";
    }
    out += "\n";
  }
  return out;
}

std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return out;
}

std::string millis_text(double millis) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", millis);
  return text;
}

}  // namespace probegate::app
