#include "client/terminal.h"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace probegate::client {
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

// In code points; these commands print no wide or combining characters of their own.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// Wraps the line at `columns`, at blanks if there are any. Escape sequences count as zero width.
std::vector<std::string> broken(std::string_view line, std::size_t columns) {
  std::vector<std::string> pieces(1);
  std::size_t taken = 0;
  std::size_t blank = std::string::npos;  // the last one of this piece
  bool escape = false;
  for (const char c : line) {
    escape = escape || c == '\x1b';
    const bool visible = !escape && (c & 0xc0) != 0x80;
    if (visible && taken == columns) {
      std::string rest = blank == std::string::npos ? "" : pieces.back().substr(blank + 1);
      if (blank != std::string::npos) pieces.back().resize(blank);
      taken = width(rest);  // plain text: colours end before the wrapped part
      const bool at_blank = blank == std::string::npos && c == ' ';
      pieces.push_back(std::move(rest));
      blank = std::string::npos;
      if (at_blank) continue;  // replaced by the line break
    }
    if (visible && c == ' ' && taken > 0) blank = pieces.back().size();
    if (visible) ++taken;
    pieces.back() += c;
    escape = escape && c != 'm';
  }
  return pieces;
}

}  // namespace

bool is_terminal(int fd) { return ::isatty(fd) != 0; }

bool can_redraw(int fd) {
  const char* terminal = std::getenv("TERM");
  return is_terminal(fd) && terminal != nullptr && std::strcmp(terminal, "dumb") != 0;
}

Paint Paint::for_descriptor(int fd) { return Paint(can_redraw(fd) && !is_set("NO_COLOR")); }

ScreenSize screen_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

std::string frame(std::string_view text, ScreenSize screen) {
  constexpr std::string_view kHome = "\x1b[H";
  constexpr std::string_view kClearLine = "\x1b[K";
  constexpr std::string_view kClearBelow = "\x1b[J";
  if (text.ends_with('\n')) text.remove_suffix(1);
  std::vector<std::string> lines;
  for (const auto line : split(text, '\n')) {
    for (auto& piece : broken(line, std::max<std::size_t>(screen.columns, 2) - 1))
      lines.push_back(std::move(piece));
  }
  const std::size_t room = std::max<std::size_t>(screen.rows, 2) - 1;
  const bool fits = lines.size() <= room;
  const std::size_t shown = fits ? lines.size() : room - 1;
  std::string out(kHome);
  const auto add = [&](std::string_view line) { out.append(line).append(kClearLine).append("\n"); };
  for (std::size_t i = 0; i < shown; ++i) add(lines[i]);
  if (!fits) add("... and " + std::to_string(lines.size() - shown) + " more lines");
  return out.append(kClearBelow);
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

std::string Table::text(const Paint& paint, std::size_t columns) const {
  constexpr std::size_t kLeastRoom = 24;  // for the last cell; with less it wraps near the left edge
  constexpr std::size_t kNearLeft = 4;
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i].text));
  }
  std::size_t before = 0;  // the last column
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) before += widths[i] + 2;
  std::string out;
  for (const auto& row : rows_) {
    std::string blanks;  // to print before the next cell that is not empty
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width(row[i].text), ' ');
      if (row[i].right) blanks += padding;
      const bool goes_on = columns > 0 && i + 1 == widths.size() && before + width(row[i].text) > columns;
      if (goes_on) {
        const bool below = columns >= before + kLeastRoom;
        const std::size_t indent = below ? before : std::min(kNearLeft, columns / 2);
        std::string lead = below ? blanks : "\n" + std::string(indent, ' ');
        for (const auto& piece : broken(row[i].text, columns - indent)) {
          out += lead + paint(row[i].color, piece);
          lead = "\n" + std::string(indent, ' ');
        }
        blanks.clear();
      } else if (!row[i].text.empty()) {
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
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto at = [&](std::size_t index) {
      return index < out.size() ? static_cast<unsigned char>(out[index]) : 0;
    };
    if (at(i) < 0x20 || at(i) == 0x7f) out[i] = '?';
    // U+0080 to U+009F: the controls of ISO 6429, which some terminals obey.
    if (at(i) == 0xc2 && at(i + 1) >= 0x80 && at(i + 1) < 0xa0) out.replace(i, 2, "?");
  }
  return out;
}

std::string millis_text(double millis) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", millis);
  return text;
}

}  // namespace probegate::client
