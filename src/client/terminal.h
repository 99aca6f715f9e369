// Output for people: colours where they are wanted, columns that line up. Plain text everywhere else.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace probegate::client {

enum class Color { none, good, warn, bad, dim };

// Colours only on a terminal, and never where NO_COLOR is set (https://no-color.org) or TERM is dumb.
class Paint {
 public:
  explicit Paint(bool on) : on_(on) {}
  static Paint for_descriptor(int fd);
  std::string operator()(Color color, std::string_view text) const;

 private:
  bool on_;
};

bool is_terminal(int fd);
bool can_redraw(int fd);  // a terminal that knows how to move its cursor

struct ScreenSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};
ScreenSize screen_size(int fd);  // as it is now; the default where the terminal does not say

// A frame that takes the place of the one before it, wherever the cursor is: lines broken before the
// screen's last column (where terminals disagree about what clears what), so that the terminal breaks none,
// and as many as fit above the line of the cursor.
std::string frame(std::string_view text, ScreenSize screen);

// Green, yellow, red or grey for the words of health documents; none for others.
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
  // Where `columns` is not 0, the last cell of a row goes on below itself instead of beyond that width.
  std::string text(const Paint& paint, std::size_t columns = 0) const;

 private:
  std::vector<std::vector<Cell>> rows_;
};

// Control characters replaced: what a peer wrote must not steer somebody's terminal.
std::string printable(std::string_view text);

std::string millis_text(double millis);  // "1.9 ms"

}  // namespace probegate::client
