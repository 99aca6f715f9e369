// Hides secrets in output. The name of a value decides whether it is shown, never its content: values of
// query parameters and headers are hidden unless their name is in one of the two short lists here.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace probegate {

// For the query of a URL: names of connection options without credentials ("sslmode"), with a word, a number
// or a path as value.
bool is_harmless_parameter(std::string_view name, std::string_view value);
// True for names such as "accept", "host" and "origin".
bool is_harmless_header(std::string_view name);

// Masks the secrets of one dependency in its messages: each part of four or more bytes of a secret, plain,
// percent-encoded, or in base64 at any offset. A shorter secret is masked where it is a whole word.
class Secrets {
 public:
  Secrets() = default;
  Secrets(std::initializer_list<std::string> secrets);

  void push_back(const std::string& secret);  // an empty one is ignored
  // Masks user and password of "Basic" authentication, in base64 only.
  void add_credentials(const std::string& user, const std::string& password);
  // Masks only the whole phrase, for text made of ordinary words, such as a user name in quotes.
  void add_phrase(const std::string& phrase);
  // Adds the quoted strings of an SQL statement, which a server may repeat in its error: between ' and ', $$
  // and $$, or any other mark of `quotes`.
  void add_literals(std::string_view sql, std::string_view quotes = "'$");
  // Never masks this word although it is a part of a secret, such as the host name "redis" with
  // the password "redis-7Hx".
  void allow(const std::string& word);

  std::string masked(std::string_view text) const;
  bool empty() const { return whole_.empty(); }

 private:
  void add_parts(std::string_view form);

  std::vector<std::string> whole_;           // secrets and phrases
  std::unordered_set<std::uint32_t> parts_;  // every sequence of four bytes in every form
  std::vector<std::string> allowed_;
};

}  // namespace probegate
