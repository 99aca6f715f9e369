#include "proto/head_scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "base/text.h"

namespace probegate::proto {
namespace {

enum CharClass : std::uint8_t {
  kToken = 1,   // RFC 9110 section 5.6.2
  kText = 2,    // of a field value: HTAB, SP, VCHAR, obs-text
  kTarget = 4,  // VCHAR without "#": a fragment is never sent
  kHost = 8,    // a reg-name (RFC 3986 section 3.2.2) without ",", which could join two Hosts
};

constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0x21; c < 0x7f; ++c) classes[c] = kText | kTarget;
  for (unsigned c = 0x80; c < 0x100; ++c) classes[c] = kText;
  classes[' '] = classes['\t'] = kText;
  classes['#'] = kText;
  for (unsigned c = '0'; c <= '9'; ++c) classes[c] |= kToken | kHost;
  for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] |= kToken | kHost;
  for (unsigned c = 'A'; c <= 'Z'; ++c) classes[c] |= kToken | kHost;
  for (const unsigned char c : std::string_view("!#$%&'*+-.^_`|~")) classes[c] |= kToken;
  for (const unsigned char c : std::string_view("-._~%!$&'()*+;=")) classes[c] |= kHost;
  return classes;
}();

bool is(CharClass wanted, char c) { return (kClasses[static_cast<unsigned char>(c)] & wanted) != 0; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Every block ends with CRLF and CR is in no class, so loops over a class need no other limit.
const char* skip(CharClass wanted, const char* p) {
  while (is(wanted, *p)) ++p;
  return p;
}

// Finds the end of a field value, eight bytes at a time, because values are most of a head.
const char* skip_text(const char* p, const char* end) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kTops = 0x8080808080808080;
  while (end - p >= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, sizeof word);
    const std::uint64_t del = word ^ (kOnes * 0x7f);
    const std::uint64_t marked = (((word - kOnes * 0x20) & ~word) | ((del - kOnes) & ~del)) & kTops;
    if (marked == 0) {
      p += 8;
      continue;
    }
    if constexpr (std::endian::native == std::endian::little)
      p += std::countr_zero(marked) / 8;  // the first is exact
    if (!is(kText, *p)) return p;
    ++p;  // HTAB, or a byte before the marked one
  }
  return skip(kText, p);
}

HttpError bad(std::string_view detail) { return {400, detail}; }

// Reads "HTTP/1." and a digit into `minor`. A later version of HTTP/1 is treated as 1.1 (RFC 9110 section
// 2.5); llhttp supports none, so `plain` is then cleared.
std::optional<HttpError> scan_version(std::string_view text, int& minor, bool& plain) {
  if (text.size() != 8 || !text.starts_with("HTTP/") || !is_digit(text[5]) || text[6] != '.' ||
      !is_digit(text[7])) {
    return bad("no HTTP version in the first line");
  }
  if (text[5] != '1') return HttpError{505, "an HTTP version other than HTTP/1"};
  minor = text[7] == '0' ? 0 : 1;
  if (text[7] > '1') plain = false;
  return std::nullopt;
}

HttpError name_problem(const char* name, const char* stopped) {
  if (is_blank(*name)) return bad("a line that begins with a blank");
  if (stopped == name && *stopped == ':') return bad("a field without a name");
  if (is_blank(*stopped)) return bad("a blank between field name and colon");
  if (*stopped == '\r') return bad(stopped[1] == '\n' ? "a line without a colon" : "a CR without LF");
  return bad("a forbidden byte in a field name");
}

}  // namespace

bool is_token_char(char c) { return is(kToken, c); }

bool is_host(std::string_view text) {
  std::size_t end = 0;
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos || end == 1) return false;
    const auto literal = text.substr(1, end - 1);
    if (!std::all_of(literal.begin(), literal.end(), [](char c) { return c == ':' || is(kHost, c); }))
      return false;
    ++end;
  } else {
    while (end < text.size() && is(kHost, text[end])) ++end;
    if (end == 0) return false;
  }
  if (end == text.size()) return true;
  const auto port = text.substr(end + 1);
  return text[end] == ':' && (port.empty() || parse_decimal<std::uint16_t>(port));
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

LineBlock::Result LineBlock::take(std::span<const char>& input, std::size_t limit) {
  const char* const begin = input.data();
  const std::size_t size = std::min(input.size(), limit - bytes_.size());
  std::size_t at = 0;  // of the rest of the line
  Result result = Result::more;
  while (at < size) {
    const auto* const lf = static_cast<const char*>(std::memchr(begin + at, '\n', size - at));
    if (lf == nullptr) {
      line_ += size - at;
      at = size;
      break;
    }
    const std::size_t index = static_cast<std::size_t>(lf - begin);
    line_ += index + 1 - at;
    at = index + 1;
    const char before = index > 0 ? lf[-1] : (bytes_.empty() ? '\0' : bytes_.back());
    if (before != '\r') {
      result = Result::bare_lf;
      break;
    }
    if (first_line_ == 0) first_line_ = bytes_.size() + at;
    if (line_ == 2) {
      result = Result::complete;
      break;
    }
    line_ = 0;
  }
  bytes_.append(begin, at);
  input = input.subspan(at);
  if (result == Result::more && bytes_.size() >= limit) return Result::full;
  return result;
}

void LineBlock::clear() {
  // Releases the memory of a very large head, so that it is not kept for small ones.
  constexpr std::size_t kKept = 8 * 1024;
  if (bytes_.capacity() > kKept) bytes_ = std::string();
  bytes_.clear();
  line_ = first_line_ = 0;
}

std::optional<HttpError> scan_request_line(std::string_view line, RequestHead& head) {
  const char* p = line.data();
  const char* const method = p;
  p = skip(kToken, p);
  if (p == method || *p != ' ') return bad("the first line is not an HTTP request line");
  head.method = {method, static_cast<std::size_t>(p - method)};

  const char* const target = ++p;
  p = skip(kTarget, p);
  if (*p == '#') return bad("a fragment in the request target");
  if (p == target || *p != ' ')
    return bad("a request line that is not method, target and version with one space between");
  head.target = {target, static_cast<std::size_t>(p - target)};

  ++p;
  const char* const end = line.data() + line.size() - 2;
  return scan_version({p, static_cast<std::size_t>(end - p)}, head.minor, head.plain);
}

std::optional<HttpError> scan_status_line(std::string_view line, ResponseHead& head) {
  line.remove_suffix(2);
  if (line.size() < 12) return bad("the first line is not an HTTP status line");
  if (const auto wrong = scan_version(line.substr(0, 8), head.minor, head.plain)) return wrong;
  const std::string_view code = line.substr(9, 3);
  if (line[8] != ' ' || !std::all_of(code.begin(), code.end(), is_digit) ||
      (line.size() > 12 && line[12] != ' ')) {
    return bad("no status code of three digits in the status line");
  }
  head.status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  if (head.status < 100) return bad("a status code below 100");
  // Some servers omit the space if there is no reason; this is not ambiguous.
  head.reason = line.size() > 12 ? line.substr(13) : std::string_view();
  if (!std::all_of(head.reason.begin(), head.reason.end(), [](char c) { return is(kText, c); })) {
    return bad("a control character in the status line");
  }
  return std::nullopt;
}

std::optional<HttpError> scan_fields(std::string_view lines, std::size_t most, HeaderFields& fields,
                                     bool* blank_before_colon) {
  const char* p = lines.data();
  const char* const empty_line = lines.data() + lines.size() - 2;
  while (p != empty_line) {
    const char* const name = p;
    p = skip(kToken, p);
    const char* const name_end = p;
    if (blank_before_colon != nullptr && p != name && is_blank(*p)) {
      while (is_blank(*p)) ++p;
      *blank_before_colon = true;
    }
    if (p == name || *p != ':') return name_problem(name, p);
    ++p;

    while (is_blank(*p)) ++p;
    const char* const value = p;
    p = skip_text(p, empty_line);
    if (*p != '\r') return bad("a control character in a field value");
    if (p[1] != '\n') return bad("a CR without LF");
    const char* value_end = p;
    while (value_end > value && is_blank(value_end[-1])) --value_end;
    p += 2;

    if (fields.size() == most) return HttpError{431, "too many header fields"};
    fields.add({name, static_cast<std::size_t>(name_end - name)},
               {value, static_cast<std::size_t>(value_end - value)});
  }
  return std::nullopt;
}

}  // namespace probegate::proto
