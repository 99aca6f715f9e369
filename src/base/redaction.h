// What must not be shown. Whether a value may be shown is a matter of its name and never of its look: the
// values of a query and of headers are hidden unless their name is on one of the two short lists here.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace probegate {

// Of a URL's query: names that say how to connect and never who does ("sslmode"), with a value that is a
// word, a number or a path.
bool is_harmless_parameter(std::string_view name, std::string_view value);
// "accept", "host", "origin".
bool is_harmless_header(std::string_view name);

// Masks the secrets of one dependency in what it says: each part of four bytes or more of a secret, as it is,
// percent-encoded or in base64 at any offset. A shorter secret is masked where it stands as a word.
class Secrets {
 public:
  Secrets() = default;
  Secrets(std::initializer_list<std::string> secrets);

  void push_back(const std::string& secret);  // empty: nothing to hide
  // Masked in base64 only: the user and password of "Basic".
  void add_credentials(const std::string& user, const std::string& password);
  // Masked as a whole only: what is made of ordinary words, such as a user's name in quotes.
  void add_phrase(const std::string& phrase);
  // The texts in quotes of a statement of SQL, which a server repeats when it does not like them: between '
  // and
  // ', $$ and $$, or any other mark of `quotes`.
  void add_literals(std::string_view sql, std::string_view quotes = "'$");
  // May be seen although a part of it is a part of a secret: the name of the host "redis" of a password
  // "redis-7Hx".
  void allow(const std::string& word);

  std::string masked(std::string_view text) const;
  bool empty() const { return whole_.empty(); }

 private:
  void add_parts(std::string_view form);

  std::vector<std::string> whole_;           // secrets and phrases
  std::unordered_set<std::uint32_t> parts_;  // every four bytes in a row of every form
  std::vector<std::string> allowed_;
};

}  // namespace probegate
