// Output for people: aligned columns, with colours on a terminal. Plain text everywhere else.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace probegate::client {

enum class Color { none, good, warn, bad, dim };

// Colours only on a terminal, and never if NO_COLOR is set (https://no-color.org) or TERM is dumb.
class Paint {
 public:
  explicit Paint(bool on) : on_(on) {}
  static Paint for_descriptor(int fd);
  std::string operator()(Color color, std::string_view text) const;

 private:
  bool on_;
};

bool is_terminal(int fd);
bool can_redraw(int fd);  // a terminal whose cursor can be moved

struct ScreenSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};
ScreenSize screen_size(int fd);  // the current size; the default if the terminal does not tell

// A frame that replaces the one before it, wherever the cursor is. Lines are wrapped before the last column,
// where terminals differ in what they clear, and cut to the number that fits above the cursor's line.
std::string frame(std::string_view text, ScreenSize screen);

// The colour for a status word of the health documents; none for other words.
Color color_of_word(std::string_view word);

struct Cell {
  std::string text;
  Color color = Color::none;
  bool right = false;  // a number
};

// Columns as wide as their widest cell, two blanks between them, no blanks at the end of a line.
class Table {
 public:
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  // If `columns` is not 0, the last cell of a row is wrapped at that width.
  std::string text(const Paint& paint, std::size_t columns = 0) const;

 private:
  std::vector<std::vector<Cell>> rows_;
};

// Replaces control characters, so that text from a peer cannot control the terminal.
std::string printable(std::string_view text);

std::string millis_text(double millis);  // "1.9 ms"

}  // namespace probegate::client
