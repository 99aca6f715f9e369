#include "base/text.h"

#include <algorithm>
#include <cstring>
#include <ctime>

namespace probegate {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

constexpr std::uint64_t in_each_byte(std::uint64_t byte) { return 0x0101010101010101 * byte; }

// The same for the eight bytes of a word: seven-bit sums set the eighth bit of each byte that is a capital.
std::uint64_t lower(std::uint64_t word) {
  const std::uint64_t low = word & in_each_byte(0x7f);
  const std::uint64_t from_a = low + in_each_byte(0x80 - 'A');
  const std::uint64_t past_z = low + in_each_byte(0x7f - 'Z');
  const std::uint64_t upper = (from_a ^ past_z) & ~word & in_each_byte(0x80);
  return word | upper >> 2;  // 0x80 becomes 0x20
}

template <typename Word>
Word word_at(std::string_view text, std::size_t at) {
  Word word;
  std::memcpy(&word, text.data() + at, sizeof word);
  return word;
}

// For texts of equal length, at least one word long. The final word may overlap the previous one.
template <typename Word>
bool equal_by_words(std::string_view a, std::string_view b) {
  const auto same = [&](std::size_t at) {
    return lower(std::uint64_t{word_at<Word>(a, at)}) == lower(std::uint64_t{word_at<Word>(b, at)});
  };
  for (std::size_t at = 0; at + sizeof(Word) < a.size(); at += sizeof(Word)) {
    if (!same(at)) return false;
  }
  return same(a.size() - sizeof(Word));
}

}  // namespace

// Optimized because header fields are looked up by name about a dozen times for each upgrade.
bool iequals_of_one_length(std::string_view a, std::string_view b) {
  if (a.size() >= sizeof(std::uint64_t)) return equal_by_words<std::uint64_t>(a, b);
  if (a.size() >= sizeof(std::uint32_t)) return equal_by_words<std::uint32_t>(a, b);
  return std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
  return out;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool equal_in_constant_time(std::string_view given, std::string_view secret) {
  if (secret.empty()) return given.empty();
  volatile std::size_t difference = given.size() ^ secret.size();  // volatile: no early exit
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto bits = static_cast<unsigned char>(given[i] ^ secret[i % secret.size()]);
    difference = difference | bits;
  }
  return difference == 0;
}

bool list_contains(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (iequals(trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

std::string replaced(std::string_view text, std::string_view word, std::string_view other) {
  std::string out;
  for (auto at = text.find(word); at != text.npos; at = text.find(word)) {
    out.append(text.substr(0, at)).append(other);
    text.remove_prefix(at + word.size());
  }
  return out.append(text);
}

std::string hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text.append({kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return text;
}

// Uses the <chrono> calendar: strftime takes ten times as long, and a busy proxy writes a timestamp
// for each request.
std::string iso8601(WallTime time) {
  using namespace std::chrono;
  const auto stamp = floor<milliseconds>(time);
  const auto day = floor<days>(stamp);
  const year_month_day date(day);
  const hh_mm_ss clock(stamp - day);
  std::string text = "0000-00-00T00:00:00.000Z";
  const auto put = [&](std::size_t end, std::int64_t value) {
    for (; value != 0; value /= 10) text[--end] = static_cast<char>('0' + value % 10);
  };
  put(4, static_cast<int>(date.year()));
  put(7, static_cast<unsigned>(date.month()));
  put(10, static_cast<unsigned>(date.day()));
  put(13, clock.hours().count());
  put(16, clock.minutes().count());
  put(19, clock.seconds().count());
  put(23, clock.subseconds().count());
  return text;
}

std::optional<WallTime> parse_iso8601(const std::string& text) {
  constexpr std::size_t kSize = 24, kPoint = 19;
  std::tm utc{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &utc);
  if (text.size() != kSize || rest != text.c_str() + kPoint || *rest != '.' || text.back() != 'Z') {
    return std::nullopt;
  }
  const auto millis = parse_decimal<int>(std::string_view(text).substr(kPoint + 1, 3));
  if (!millis) return std::nullopt;
  return WallTime(std::chrono::seconds(::timegm(&utc)) + Millis(*millis));
}

std::string format_duration(Duration d) {
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  if (ms == 0) return "0s";
  struct Unit {
    long long size;
    const char* name;
  };
  std::string out;
  for (const Unit unit : {Unit{3'600'000, "h"}, Unit{60'000, "m"}, Unit{1'000, "s"}, Unit{1, "ms"}}) {
    if (ms < unit.size) continue;
    out += std::to_string(ms / unit.size) + unit.name;
    ms %= unit.size;
  }
  return out;
}

}  // namespace probegate
