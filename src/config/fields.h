// Fields: reads one mapping of the configuration, key by key, and remembers everything it was asked.
//
// Owns: nothing; a view of a Document's node. One read does four jobs: the typed value (or the default), an exact
// error for a wrong one, the list of known keys (a key nobody read is an error), and the effective configuration
// that `validate --print` shows with secrets hidden. So no list of keys exists anywhere but in the readers.
// Errors: never thrown; collected in Problems, all of them, so that one run reports every mistake.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/result.h"

namespace probegate::config {

struct Mark {
  int line = 0;    // from 1; 0 = no place in a file (environment, defaults)
  int column = 0;  // from 1
};

// Where a problem is and what is allowed instead: "FILE:LINE:COLUMN: key: what is wrong, what is allowed".
class Problems {
 public:
  explicit Problems(std::string source) : source_(std::move(source)) {}
  void add(Mark mark, std::string_view key, std::string_view message);
  bool empty() const { return lines_.empty(); }
  std::vector<std::string> sorted() const;  // by line and column

 private:
  struct Line {
    Mark mark;
    std::string text;
  };
  std::string source_;
  std::vector<Line> lines_;
};

class Node;  // parsed YAML with places and expanded values; private to config/

class Fields {
 public:
  // The empty mapping: every read gives the default. Used where the file has no such section.
  Fields(std::shared_ptr<Node> node, Problems& problems);

  const std::string& path() const;  // "checks.database", for messages
  Mark mark() const;
  Problems& problems() const { return *problems_; }

  bool has(std::string_view key) const;  // present and not null; does not count as reading the key

  // Typed reads. A missing or null key gives the default; a wrong value is reported and gives the default too.
  std::string text(std::string_view key, std::string_view fallback);
  std::optional<std::string> optional_text(std::string_view key);
  bool boolean(std::string_view key, bool fallback);
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t min, std::int64_t max);
  Duration duration(std::string_view key, Duration fallback);        // 250ms 2s 5m 1h; a bare 0 is 0
  std::uint64_t size(std::string_view key, std::uint64_t fallback);  // 64KiB 1MiB, a bare number is bytes
  std::vector<std::string> text_list(std::string_view key, std::vector<std::string> fallback);
  std::vector<std::pair<std::string, std::string>> text_map(std::string_view key);  // file order
  Endpoint endpoint(std::string_view key, std::string_view fallback);
  std::vector<Endpoint> endpoints(std::string_view key, std::string_view fallback);  // one, or a list

  // One of `allowed`; the error lists them.
  std::string choice(std::string_view key, std::string_view fallback, std::initializer_list<std::string_view> allowed);
  template <typename Enum>
  Enum choice(std::string_view key, Enum fallback,
              std::initializer_list<std::pair<std::string_view, Enum>> allowed);
  std::vector<std::string> choices(std::string_view key, std::vector<std::string> fallback,
                                   std::initializer_list<std::string_view> allowed);

  // Like optional_text, for values that must never be shown. Reads `key` or its twin `key_file` (both is an
  // error; the file's one trailing newline is dropped; at most 64 KiB).
  std::optional<std::string> secret(std::string_view key);
  // A URL that may carry a password: the same, and shown with its user-info hidden.
  std::optional<std::string> secret_url(std::string_view key);

  Fields section(std::string_view key);                               // a mapping; missing = all defaults
  std::vector<std::pair<std::string, Fields>> sections(std::string_view key);  // a mapping of mappings, file order
  std::vector<Fields> section_list(std::string_view key);             // a list of mappings

  // Reports a problem at the key's value (or at this mapping when the key is absent).
  void problem(std::string_view key, std::string_view message);

 private:
  std::shared_ptr<Node> node_;
  Problems* problems_;
};

}  // namespace probegate::config
