// Fields: reads one mapping of the configuration, key by key, and remembers everything it was asked.
//
// Owns: a share of the tree it looks at. One read does four jobs: the typed value (or the default), an exact
// error for a wrong one, the list of known keys (a key nobody read is an error), and the effective
// configuration that `validate --print` shows with secrets hidden. So no list of keys exists anywhere but in
// the readers. Reading is const: a Fields is a view, and copies look at the same mapping. Errors: never
// thrown; collected in Problems, all of them, so that one run reports every mistake.
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

class Node;  // parsed YAML with places and expanded values; private to config/
struct Shown;

class Fields {
 public:
  // The empty mapping: every read gives the default, problems go nowhere.
  Fields();
  Fields(std::shared_ptr<Node> node, std::shared_ptr<Problems> problems);

  const std::string& path() const;  // "checks.database", for messages
  Problems& problems() const { return *problems_; }

  bool has(std::string_view key) const;   // present and not null; does not count as reading the key
  bool broken() const;                    // not a mapping at all, and already reported
  std::vector<std::string> keys() const;  // that are written, in file order
  // The environment variable it came from; empty: none, or it is not there.
  std::string from_variable(std::string_view key) const;
  std::string written(std::string_view key) const;  // a scalar's text, or ""; does not count as reading it

  // Typed reads. A missing or null key gives the default; a wrong value is reported and gives the default
  // too.
  std::string text(std::string_view key, std::string_view fallback) const;
  std::optional<std::string> optional_text(std::string_view key) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t min, std::int64_t max) const;
  // `auto` is the value `resolved`, and is shown as that.
  int integer_or_auto(std::string_view key, int fallback, int resolved, int min, int max) const;
  Duration duration(std::string_view key, Duration fallback,
                    Duration min = Duration{0}) const;  // 250ms 1m30s 0
  std::uint64_t size(std::string_view key,
                     std::uint64_t fallback) const;  // 64KiB 1MiB, a bare number is bytes
  std::vector<std::string> text_list(std::string_view key, std::vector<std::string> fallback) const;
  // `auto`, which is the default, is no list.
  std::optional<std::vector<std::string>> text_list_or_auto(std::string_view key) const;
  Endpoint endpoint(std::string_view key, std::string_view fallback) const;
  // One, or a list, which may be empty where that means something.
  enum class Least { none, one };
  std::vector<Endpoint> endpoints(std::string_view key, std::string_view fallback, Least least) const;

  // A mapping of texts in file order.
  std::vector<std::pair<std::string, std::string>> text_map(std::string_view key) const;
  // The same for HTTP headers: names are tokens, values one line, NAME_file reads the value from a file, and
  // values whose name sounds secret ("authorization", "x-api-key") are not shown.
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
  // A list of some of them, each at most once.
  std::vector<std::string> choices(std::string_view key, std::vector<std::string> fallback,
                                   std::initializer_list<std::string_view> allowed) const;

  // Like optional_text, for values that must never be shown. Reads `key` or its twin `key_file` (both is an
  // error; the file's one trailing newline is dropped; at most 64 KiB).
  std::optional<std::string> secret(std::string_view key) const;
  // A text that a user may have put a secret into, such as a query or the body of a request: never shown.
  std::optional<std::string> private_text(std::string_view key) const;
  // A URL that may carry a password: the same as secret(), without the blanks and line ends around it, and
  // shown without what may be secret. Quotes around it are reported.
  std::optional<std::string> secret_url(std::string_view key) const;
  // A URL whose path is itself a secret, as webhooks have it: only scheme and host are shown.
  std::optional<std::string> secret_path_url(std::string_view key) const;

  Fields section(std::string_view key) const;                          // a mapping; missing = all defaults
  std::optional<Fields> optional_section(std::string_view key) const;  // missing or null = off
  std::vector<std::pair<std::string, Fields>> sections(std::string_view key) const;  // mapping of mappings
  std::vector<Fields> section_list(std::string_view key) const;                      // list of mappings

  // Reports a problem at the key's value, or at this mapping's own key when the value is absent. Silent about
  // a value that is reported already, so that one mistake gives one line.
  void problem(std::string_view key, std::string_view message) const;
  void item_problem(std::string_view key, std::size_t item,
                    std::string_view message) const;  // at a list's item
  void entry_problem(std::string_view key, std::string_view entry,
                     std::string_view message) const;  // at the value of a mapping's entry
  void contradiction(std::string_view key, std::string_view message) const;  // at the key
  void problem_here(std::string_view message) const;  // at the key that names this mapping

  // Replaces what the effective configuration shows, where the program resolved the value (`auto`).
  void show(std::string_view key, std::string_view value) const;
  // Not printed, as another key stands for it.
  void leave_out(std::string_view key) const;
  // Unknown keys of this mapping are not reported.
  void allow_unknown_keys() const;
  // Keys that nobody reads are known all the same: of a check whose type nobody can tell.
  void know(const std::vector<std::string_view>& keys) const;

  // The files that values of this mapping, and of those in it, were read from.
  std::vector<SecretFile> secret_files() const;
  // The same mapping, read by nobody, with problems of its own: for reading its secrets again. Shares nothing
  // with us, so it may be read by another thread.
  Fields unread() const;

  // Everything read of this mapping that is not about pace and judgement; see compare.h.
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
  void break_off(std::string_view key) const;  // wrong and reported: nothing more is said of it
  std::optional<std::string> read_secret(std::string_view key, std::string_view kind, const Hide& hide) const;
  void record(Shown shown) const;
  void report(const Node& node, std::string_view path, std::string_view message, bool at_key) const;
  void expected(std::string_view key, std::string_view what, std::string_view hint = {}) const;

  std::shared_ptr<Node> node_;          // owners: the tree, every Fields on it, CheckSpec after loading
  std::shared_ptr<Problems> problems_;  // owners: load() and every Fields, so a late read never dangles
};

}  // namespace probegate::config
