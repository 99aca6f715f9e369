// Messages that tests of HTTP through the proxy send, and what they look for in them.
#pragma once

#include <cstdio>
#include <string>

namespace probegate::test {

inline std::string request(const std::string& method, const std::string& fields = "",
                           const std::string& body = "") {
  return method + " /path?q=1 HTTP/1.1\r\nHost: example\r\n" + fields + "\r\n" + body;
}

inline bool has_line(const std::string& head, const std::string& line) {
  return head.find("\r\n" + line + "\r\n") != std::string::npos;
}

// Some bytes that are not all alike.
inline std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + i * 7 % 23 + i / 4096 % 3);
  return bytes;
}

}  // namespace probegate::test
