#include "base/redaction.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "base/url.h"

namespace probegate {
namespace {

constexpr std::size_t kPart = sizeof(std::uint32_t);  // shorter parts of a secret are not masked
constexpr std::size_t kLongestEncoded = 4096;         // longest secret that is also searched for in base64
constexpr std::size_t kLongestHarmless = 100;
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// Common words in messages of probegate, libraries and servers. A password made of such words must not mask
// the error message itself.
constexpr std::string_view kOrdinaryWords[] = {
    "password", "authentication", "PostgreSQL", "postgres",    "database", "connect",  "connection",
    "server",   "username",       "localhost",  "certificate", "default",  "expected", "required"};

template <std::size_t count>
bool is_one_of(std::string_view name, const std::string_view (&names)[count]) {
  const auto lower = to_lower(name);
  return std::find(std::begin(names), std::end(names), lower) != std::end(names);
}

std::uint32_t part_at(std::string_view text, std::size_t at) {
  std::uint32_t part;
  std::memcpy(&part, text.data() + at, kPart);
  return part;
}

// Base64 of the secret after `offset` other bytes, without the characters that also depend on the bytes
// before or after it.
std::string base64_behind(std::string_view secret, std::size_t offset, std::string_view alphabet) {
  std::string bytes(offset, '\0');
  bytes += secret;
  std::string out;
  for (std::size_t i = 0; i + 2 < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[i + at]); };
    const unsigned group =
        static_cast<unsigned>(byte(0)) << 16 | static_cast<unsigned>(byte(1)) << 8 | byte(2);
    for (const unsigned shift : {18u, 12u, 6u, 0u}) out += alphabet[group >> shift & 63];
  }
  // The last bytes are not a full group of three: keep the characters that depend on them alone.
  const std::size_t left = bytes.size() % 3;
  if (left > 0) {
    const auto first = static_cast<unsigned char>(bytes[bytes.size() - left]);
    out += alphabet[first >> 2];
    if (left == 2) {
      const auto second = static_cast<unsigned char>(bytes.back());
      out += alphabet[(first & 3u) << 4 | second >> 4];
    }
  }
  return out.substr(std::min(out.size(), offset == 0 ? 0 : offset + 1));
}

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c & 0x80) != 0;
}

bool stands_alone(std::string_view text, std::size_t at, std::size_t size) {
  const bool before = at > 0 && is_word_byte(text[at - 1]) && is_word_byte(text[at]);
  const bool after =
      at + size < text.size() && is_word_byte(text[at + size]) && is_word_byte(text[at + size - 1]);
  return !before && !after;
}

using Mask = std::vector<bool>;

template <typename Visit>
void each_occurrence(std::string_view text, std::string_view word, Visit visit) {
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) visit(at);
}

// Unmasks the runs that are completely inside an occurrence of the word.
void unmask(std::string_view text, std::string_view word, Mask& mask) {
  each_occurrence(text, word, [&](std::size_t at) {
    const auto end = at + word.size();
    const bool goes_on = (at > 0 && mask[at - 1]) || (end < text.size() && mask[end]);
    const bool part_only = std::count(mask.begin() + static_cast<std::ptrdiff_t>(at),
                                      mask.begin() + static_cast<std::ptrdiff_t>(end), true) > 0;
    if (!goes_on && part_only) {
      std::fill(mask.begin() + static_cast<std::ptrdiff_t>(at),
                mask.begin() + static_cast<std::ptrdiff_t>(end), false);
    }
  });
}

}  // namespace

bool is_harmless_parameter(std::string_view name, std::string_view value) {
  static constexpr std::string_view kNames[] = {"channel_binding",
                                                "charset",
                                                "client_encoding",
                                                "connect_timeout",
                                                "connection_limit",
                                                "currentschema",
                                                "database",
                                                "db",
                                                "dbname",
                                                "encoding",
                                                "family",
                                                "host",
                                                "hostaddr",
                                                "load_balance_hosts",
                                                "min_protocol_version",
                                                "parsetime",
                                                "pgbouncer",
                                                "pool_timeout",
                                                "port",
                                                "protocol",
                                                "schema",
                                                "search_path",
                                                "sentinelmasterid",
                                                "master_name",
                                                "socket",
                                                "ssl",
                                                "ssl-mode",
                                                "ssl_ca_certs",
                                                "ssl_cert_reqs",
                                                "sslaccept",
                                                "sslcert",
                                                "sslkey",
                                                "sslmode",
                                                "sslnegotiation",
                                                "sslrootcert",
                                                "statement_cache_size",
                                                "target_session_attrs",
                                                "tls",
                                                "unix_socket",
                                                "usessl"};
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._/:,").find(c) != std::string_view::npos;
  };
  return is_one_of(name, kNames) && value.size() <= kLongestHarmless &&
         std::all_of(value.begin(), value.end(), plain);
}

bool is_harmless_header(std::string_view name) {
  static constexpr std::string_view kNames[] = {"accept",
                                                "accept-encoding",
                                                "accept-language",
                                                "cache-control",
                                                "connection",
                                                "content-type",
                                                "expect",
                                                "host",
                                                "origin",
                                                "pragma",
                                                "te",
                                                "user-agent",
                                                "x-forwarded-host",
                                                "x-forwarded-port",
                                                "x-forwarded-proto"};
  return is_one_of(name, kNames);
}

Secrets::Secrets(std::initializer_list<std::string> secrets) {
  for (const auto& secret : secrets) push_back(secret);
}

void Secrets::push_back(const std::string& secret) {
  if (secret.empty() || std::find(whole_.begin(), whole_.end(), secret) != whole_.end()) return;
  whole_.push_back(secret);
  add_parts(secret);
  if (secret.size() > kLongestEncoded) return;
  add_parts(percent_encoded(secret));
  for (const auto alphabet : {kBase64, kBase64Url}) {
    for (const std::size_t offset : {0u, 1u, 2u}) add_parts(base64_behind(secret, offset, alphabet));
  }
}

void Secrets::add_credentials(const std::string& user, const std::string& password) {
  const auto credentials = user + ":" + password;
  if (credentials.size() > kLongestEncoded) return;
  for (const auto alphabet : {kBase64, kBase64Url}) add_parts(base64_behind(credentials, 0, alphabet));
}

void Secrets::add_phrase(const std::string& phrase) {
  if (!phrase.empty()) whole_.push_back(phrase);
}

void Secrets::add_literals(std::string_view sql, std::string_view quotes) {
  for (auto at = sql.find_first_of(quotes); at != sql.npos; at = sql.find_first_of(quotes, at)) {
    const std::string mark = sql[at] == '$' ? "$$" : std::string(1, sql[at]);
    const auto begin = at + mark.size();
    if (sql.substr(at, mark.size()) != mark || begin > sql.size()) {
      ++at;
      continue;
    }
    const auto end = std::min(sql.find(mark, begin), sql.size());
    push_back(std::string(sql.substr(begin, end - begin)));
    at = std::min(end + mark.size(), sql.size());
  }
}

void Secrets::allow(const std::string& word) {
  if (word.size() >= kPart) allowed_.push_back(word);
}

void Secrets::add_parts(std::string_view form) {
  for (std::size_t at = 0; at + kPart <= form.size(); ++at) parts_.insert(part_at(form, at));
}

std::string Secrets::masked(std::string_view text) const {
  Mask mask(text.size(), false);
  const auto cover = [&](std::size_t at, std::size_t size) {
    std::fill_n(mask.begin() + static_cast<std::ptrdiff_t>(at), size, true);
  };
  for (std::size_t at = 0; !parts_.empty() && at + kPart <= text.size(); ++at) {
    if (parts_.contains(part_at(text, at))) cover(at, kPart);
  }
  for (const auto word : kOrdinaryWords) unmask(text, word, mask);
  for (const auto& word : allowed_) unmask(text, word, mask);
  for (const auto& secret : whole_) {
    each_occurrence(text, secret, [&](std::size_t at) {
      if (secret.size() >= kPart || stands_alone(text, at, secret.size())) cover(at, secret.size());
    });
  }
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!mask[at]) {
      out += text[at];
    } else if (at == 0 || !mask[at - 1]) {
      out += "***";
    }
  }
  return out;
}

}  // namespace probegate
