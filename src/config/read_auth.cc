#include <algorithm>

#include "base/text.h"
#include "base/url.h"
#include "config/describe.h"
#include "config/read_config.h"
#include "config/scalars.h"

namespace probegate::config {
namespace {

struct Profile {
  std::string_view name;
  Duration timeout;
  int failures;
  Duration recovery;
};

constexpr Profile kProfiles[] = {
    {"staging", 2s, 2, 30s},
    {"production", 5s, 5, 60s},
    {"development", 3s, 5, 60s},
};

std::string read_url(const Fields& auth) {
  const auto url = auth.secret_url("url");
  if (!auth.has("url") && !auth.has("url_file")) {
    auth.problem("url", "is missing; set the URL of the auth service, such as http://auth.internal/validate");
    return "";
  }
  if (!url) return "";
  const std::string_view key = auth.has("url") ? "url" : "url_file";
  const auto parsed = parse_url(*url);
  if (!url->starts_with("http://") && !url->starts_with("https://")) {
    auth.problem(key, "must be a URL that begins with http:// or https://");
  } else if (!parsed) {
    auth.problem(key, "is not a valid URL: " + parsed.error().message);
  }
  return url.value_or("");
}

std::vector<std::string> read_names(const Fields& auth, std::string_view key,
                                    std::vector<std::string> fallback) {
  auto names = auth.text_list(key, std::move(fallback));
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_http_token(names[i])) auth.item_problem(key, i, quote(names[i]) + " is not a valid header name");
    names[i] = to_lower(names[i]);
  }
  return names;
}

// Headers of the connection or of message framing, and those that the proxy writes itself.
bool is_ours(std::string_view name) {
  static constexpr std::string_view kOurs[] = {"connection",
                                               "content-length",
                                               "expect",
                                               "host",
                                               "keep-alive",
                                               "te",
                                               "proxy-connection",
                                               "trailer",
                                               "transfer-encoding",
                                               "upgrade",
                                               "via",
                                               "x-forwarded-for",
                                               "x-forwarded-host",
                                               "x-forwarded-proto",
                                               "x-request-id"};
  return std::find(std::begin(kOurs), std::end(kOurs), name) != std::end(kOurs) ||
         name.starts_with("sec-websocket-");
}

std::vector<std::string> read_send_headers(const Fields& auth) {
  const std::string_view key = "send_headers";
  auto names = read_names(auth, key, {"authorization", "cookie", "sec-websocket-protocol", "x-request-id"});
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool about_the_client = names[i] == "sec-websocket-protocol" || names[i] == "x-request-id" ||
                                  names[i].starts_with("x-forwarded-");
    if (is_ours(names[i]) && !about_the_client)
      auth.item_problem(
          key, i,
          quote(names[i]) + " belongs to the client's connection and cannot be sent to the auth service");
  }
  return names;
}

std::vector<std::string> read_set_headers(const Fields& auth) {
  const std::string_view key = "set_headers";
  auto names = read_names(auth, key, {"x-user-id"});
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (is_ours(names[i]))
      auth.item_problem(key, i, quote(names[i]) + " is written by the proxy and cannot be set");
  }
  return names;
}

Auth::Bypass read_bypass(const Fields& bypass) {
  Auth::Bypass value;
  value.header = to_lower(bypass.text("header", ""));
  if (!bypass.has("header")) {
    bypass.problem("header", "is missing; the request header that carries the secret, such as x-e2e-bypass");
  } else if (!is_http_token(value.header)) {
    bypass.problem("header", quote(value.header) + " is not a valid header name");
  }
  const auto secret = bypass.secret("secret");
  if (!bypass.has("secret") && !bypass.has("secret_file")) {
    bypass.problem("secret_file", "is missing; the file that holds the secret");
  } else if (secret && secret->empty()) {
    bypass.problem(bypass.has("secret") ? "secret" : "secret_file",
                   "must not be empty: every request could bypass auth");
  }
  value.secret = secret.value_or("");
  return value;
}

}  // namespace

Auth read_auth(const Fields& auth) {
  Auth value;
  value.url = read_url(auth);
  value.all_requests = auth.choice("applies_to", false, {{"upgrades", false}, {"all", true}});
  const auto name = auth.choice("profile", "staging", {"staging", "production", "development"});
  const auto& profile = *std::find_if(std::begin(kProfiles), std::end(kProfiles),
                                      [&](const Profile& candidate) { return candidate.name == name; });
  value.timeout = auth.duration("timeout", profile.timeout, 1ms);
  const Fields breaker = auth.section("breaker");
  value.breaker_failures = static_cast<int>(breaker.integer("failures", profile.failures, 1, 1000));
  value.breaker_recovery = breaker.duration("recovery", profile.recovery, 1ms);
  value.send_headers = read_send_headers(auth);
  value.set_headers = read_set_headers(auth);
  value.stripped = value.set_headers;
  value.precheck = auth.optional_text("precheck");
  value.allow_when_unavailable = auth.choice("on_unavailable", false, {{"deny", false}, {"allow", true}});
  if (const auto bypass = auth.optional_section("bypass")) {
    value.bypass = read_bypass(*bypass);
    value.stripped.push_back(value.bypass->header);
    if (name == "production")
      auth.contradiction("bypass", "not allowed with profile production; remove one of the two");
  }
  return value;
}

}  // namespace probegate::config
