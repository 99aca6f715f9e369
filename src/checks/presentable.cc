#include "checks/presentable.h"

#include "base/utf8.h"

namespace probegate::checks {
namespace {

constexpr std::size_t kLongestRead = 64 * 1024;
constexpr std::size_t kLongestMessage = 500;
constexpr std::size_t kLongestQuote = 80;

// Cuts between characters, never inside one.
std::string shortened(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string(text);
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool blank = static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
    if (!blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

}  // namespace

std::string presentable(std::string_view message, const Secrets& secrets) {
  return shortened(one_line(valid_utf8(secrets.masked(message.substr(0, kLongestRead)))), kLongestMessage);
}

std::string excerpt(std::string_view words, std::size_t most) {
  return shortened(one_line(valid_utf8(words)), most);
}

std::string quoted(std::string_view words) { return '"' + shortened(words, kLongestQuote) + '"'; }

}  // namespace probegate::checks
