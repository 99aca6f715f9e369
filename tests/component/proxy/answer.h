// Answer: reads HTTP answers off a client's bytes, on purpose with other eyes than those of src/proto.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"

namespace probegate::test {

struct Answer {
  int status = 0;
  std::string start_line;
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case
  std::string body;                                         // without chunk framing
  std::string trailers;                                     // raw lines
  bool chunked = false;

  std::string get(std::string_view name) const {
    std::string value;
    for (const auto& [field, text] : fields) {
      if (field != name) continue;
      if (!value.empty()) value += ", ";
      value += text;
    }
    return value;
  }
  bool has(std::string_view name) const {
    for (const auto& field : fields) {
      if (field.first == name) return true;
    }
    return false;
  }
};

// Takes one whole answer off the front of `bytes`; nothing when it is not whole yet. `to_head`: it answers
// HEAD. `closed`: the connection has ended, which completes an answer without a length.
inline std::optional<Answer> take_answer(std::string& bytes, bool closed = false, bool to_head = false) {
  const auto head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string::npos) return std::nullopt;
  Answer answer;
  std::string_view head(bytes.data(), head_end + 2);
  for (bool first = true; !head.empty(); first = false) {
    const auto end = head.find("\r\n");
    const auto line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (first) {
      answer.start_line = line;
      answer.status = std::atoi(std::string(line.substr(9, 3)).c_str());
    } else {
      const auto colon = line.find(':');
      answer.fields.emplace_back(to_lower(line.substr(0, colon)), std::string(trim(line.substr(colon + 1))));
    }
  }
  std::size_t at = head_end + 4;
  const bool no_body = to_head || answer.status < 200 || answer.status == 204 || answer.status == 304;
  answer.chunked = answer.get("transfer-encoding") == "chunked";
  if (no_body) {
  } else if (answer.chunked) {
    for (;;) {
      const auto line_end = bytes.find("\r\n", at);
      if (line_end == std::string::npos) return std::nullopt;
      const auto size = std::strtoull(bytes.c_str() + at, nullptr, 16);
      at = line_end + 2;
      if (size == 0) break;
      if (bytes.size() < at + size + 2) return std::nullopt;
      answer.body.append(bytes, at, size);
      at += size + 2;
    }
    for (;;) {
      const auto line_end = bytes.find("\r\n", at);
      if (line_end == std::string::npos) return std::nullopt;
      const bool last = line_end == at;
      if (!last) answer.trailers.append(bytes, at, line_end + 2 - at);
      at = line_end + 2;
      if (last) break;
    }
  } else if (answer.has("content-length")) {
    const auto size = std::strtoull(answer.get("content-length").c_str(), nullptr, 10);
    if (bytes.size() < at + size) return std::nullopt;
    answer.body = bytes.substr(at, size);
    at += size;
  } else {
    if (!closed) return std::nullopt;
    answer.body = bytes.substr(at);
    at = bytes.size();
  }
  bytes.erase(0, at);
  return answer;
}

}  // namespace probegate::test
