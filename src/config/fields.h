// Fields: reads one mapping of the configuration, key by key, and records which keys were read.
//
// Owns: a share of the tree it reads. One read returns the typed value or the default, reports an invalid
// value, marks the key as known (an unread key is an error), and adds it to the effective configuration that
// `validate --print` shows with secrets hidden. So there is no separate list of keys. Reading is const: a
// Fields is a view, and copies refer to the same mapping. Errors: never thrown; all are collected in
// Problems, so that one run reports every mistake.
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
#include "config/problems.h"
#include "config/secrets.h"

namespace probegate::config {

class Node;  // parsed YAML with positions and expanded values; private to config/
struct Shown;

class Fields {
 public:
  // The empty mapping: every read returns the default, problems are discarded.
  Fields();
  Fields(std::shared_ptr<Node> node, std::shared_ptr<Problems> problems);

  const std::string& path() const;  // "checks.database", for messages
  Problems& problems() const { return *problems_; }

  bool has(std::string_view key) const;   // present and not null; does not count as reading the key
  bool broken() const;                    // not a mapping; already reported
  std::vector<std::string> keys() const;  // the written keys, in file order
  // The environment variable the value came from; empty: none, or the key is absent.
  std::string from_variable(std::string_view key) const;
  std::string written(std::string_view key) const;  // a scalar's text, or ""; does not count as reading it

  // Typed reads. A missing or null key returns the default; an invalid value is reported and
  // returns the default.
  std::string text(std::string_view key, std::string_view fallback) const;
  std::optional<std::string> optional_text(std::string_view key) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t min, std::int64_t max) const;
  // `auto` becomes `resolved`, which is also what is shown.
  int integer_or_auto(std::string_view key, int fallback, int resolved, int min, int max) const;
  Duration duration(std::string_view key, Duration fallback,
                    Duration min = Duration{0}) const;  // 250ms 1m30s 0
  std::uint64_t size(std::string_view key,
                     std::uint64_t fallback) const;  // 64KiB 1MiB, a bare number is bytes
  std::vector<std::string> text_list(std::string_view key, std::vector<std::string> fallback) const;
  // Empty for `auto`, the default.
  std::optional<std::vector<std::string>> text_list_or_auto(std::string_view key) const;
  Endpoint endpoint(std::string_view key, std::string_view fallback) const;
  // One endpoint, or a list, which may be empty with Least::none.
  enum class Least { none, one };
  std::vector<Endpoint> endpoints(std::string_view key, std::string_view fallback, Least least) const;

  // A mapping of strings in file order.
  std::vector<std::pair<std::string, std::string>> text_map(std::string_view key) const;
  // The same for HTTP headers: names are tokens, values are one line, NAME_file reads the value from a file,
  // and values are shown only if the name is known to be harmless.
  std::vector<std::pair<std::string, std::string>> headers(std::string_view key) const;

  // One of `allowed`; the error lists them.
  std::string choice(std::string_view key, std::string_view fallback,
                     std::initializer_list<std::string_view> allowed) const {
    return choose(key, fallback, allowed);
  }
  template <typename Enum>
  Enum choice(std::string_view key, Enum fallback,
              std::initializer_list<std::pair<std::string_view, Enum>> allowed) const {
    std::vector<std::string_view> words;
    std::string_view fallback_word;
    for (const auto& [word, value] : allowed) {
      words.push_back(word);
      if (value == fallback) fallback_word = word;
    }
    const std::string chosen = choose(key, fallback_word, words);
    for (const auto& [word, value] : allowed) {
      if (word == chosen) return value;
    }
    return fallback;
  }
  // A list of values from `allowed`, each at most once.
  std::vector<std::string> choices(std::string_view key, std::vector<std::string> fallback,
                                   std::initializer_list<std::string_view> allowed) const;

  // Like optional_text, for values that must never be shown. Reads `key` or `key_file` (both set is an error;
  // the file's one trailing newline is dropped; at most 64 KiB).
  std::optional<std::string> secret(std::string_view key) const;
  // A string that may contain a secret, such as a query or a request body: never shown.
  std::optional<std::string> private_text(std::string_view key) const;
  // A URL that may contain a password: like secret(), without surrounding whitespace and line ends, and shown
  // without its secrets. Surrounding quotes are an error.
  std::optional<std::string> secret_url(std::string_view key) const;
  // A URL whose path is a secret, as in webhooks: only scheme and host are shown.
  std::optional<std::string> secret_path_url(std::string_view key) const;

  Fields section(std::string_view key) const;                          // a mapping; missing = all defaults
  std::optional<Fields> optional_section(std::string_view key) const;  // missing or null = off
  std::vector<std::pair<std::string, Fields>> sections(std::string_view key) const;  // mapping of mappings
  std::vector<Fields> section_list(std::string_view key) const;                      // list of mappings

  // Reports a problem at the key's value, or at this mapping's own key when the value is absent. Reports
  // nothing for a value that was already reported, so that one mistake gives one line.
  void problem(std::string_view key, std::string_view message) const;
  void item_problem(std::string_view key, std::size_t item,
                    std::string_view message) const;  // at an item of a list
  void entry_problem(std::string_view key, std::string_view entry,
                     std::string_view message) const;                        // at an entry of a mapping
  void contradiction(std::string_view key, std::string_view message) const;  // at the key
  void problem_here(std::string_view message) const;  // at the key that names this mapping

  // Sets the value shown in the effective configuration, for values the program resolved (`auto`).
  void show(std::string_view key, std::string_view value) const;
  // Omits the key from the effective configuration, because another key replaces it.
  void leave_out(std::string_view key) const;
  // Unknown keys of this mapping are not reported.
  void allow_unknown_keys() const;
  // Marks keys as known although nothing reads them, for a check whose type is unknown.
  void know(const std::vector<std::string_view>& keys) const;

  // The files that values of this mapping and its nested mappings were read from.
  std::vector<SecretFile> secret_files() const;
  // An unread copy of this mapping with its own problems, for reading its secrets again. It shares nothing
  // with this object, so another thread may read it.
  Fields unread() const;

  // Everything read from this mapping that defines what the check asks; see compare.h.
  std::string question() const;

 private:
  using Hide = std::function<std::string(std::string_view)>;

  const Node* scalar(std::string_view key, std::string_view expected) const;
  std::optional<std::vector<std::string>> list(std::string_view key, std::string_view expected) const;
  std::vector<std::pair<std::string, std::string>> pairs(std::string_view key, bool headers) const;
  std::string choose(std::string_view key, std::string_view fallback,
                     const std::vector<std::string_view>& allowed) const;
  std::optional<std::string> plain(std::string_view key, const std::optional<std::string>& text) const;
  void refuse_placeholder(std::string_view key, bool (*stands_in)(std::string_view)) const;
  void break_off(std::string_view key) const;  // invalid and reported: no further errors for it
  std::optional<std::string> read_secret(std::string_view key, std::string_view kind, const Hide& hide) const;
  void record(Shown shown) const;
  void report(const Node& node, std::string_view path, std::string_view message, bool at_key) const;
  void expected(std::string_view key, std::string_view what, std::string_view hint = {}) const;

  std::shared_ptr<Node> node_;          // owners: the tree, every Fields on it, CheckSpec after loading
  std::shared_ptr<Problems> problems_;  // owners: load() and every Fields, so a late read never dangles
};

}  // namespace probegate::config
