#include "config/secrets.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "base/text.h"

namespace probegate::config {
namespace {

constexpr int kReadTimeoutMs = 5000;

// A password with an unescaped slash ends the authority early: "u:p/w@host". Then everything up to the last @
// goes.
std::string hide_user_info(std::string_view url) {
  const auto begin = url.find("://") + 3;
  const auto authority = url.substr(begin, std::min(url.find_first_of("/?#", begin), url.size()) - begin);
  const auto at = url.rfind('@');
  if (authority.find('@') != std::string_view::npos || at == std::string_view::npos || at < begin) {
    return redact_url(url);
  }
  const auto colon = authority.rfind(':');
  const bool plain_port = colon == std::string_view::npos || authority.ends_with(']') ||
                          authority.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
  if (plain_port) return std::string(url);
  return std::string(url.substr(0, begin)) + std::string(kHidden) + std::string(url.substr(at));
}

bool contains_any(std::string_view name, std::initializer_list<std::string_view> words) {
  const auto lower = to_lower(name);
  return std::any_of(words.begin(), words.end(),
                     [&](auto word) { return lower.find(word) != std::string::npos; });
}

// libpq's sslpassword, and what web services call theirs; not sslkey or passfile, which are paths.
bool parameter_sounds_secret(std::string_view name) {
  return iequals(name, "key") || iequals(name, "sig") ||
         contains_any(name, {"password", "secret", "token", "api_key", "api-key", "apikey", "signature"});
}

std::string hide_parameters(std::string_view url) {
  const auto question = url.find('?');
  if (question == std::string_view::npos) return std::string(url);
  std::string out(url.substr(0, question));
  char separator = '?';
  for (const auto parameter : split(url.substr(question + 1), '&')) {
    const auto equals = parameter.find('=');
    out += separator;
    separator = '&';
    if (equals == std::string_view::npos || !parameter_sounds_secret(parameter.substr(0, equals))) {
      out += parameter;
    } else {
      out.append(parameter.substr(0, equals + 1)).append(kHidden);
    }
  }
  return out;
}

// Closes on every way out.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

}  // namespace

std::string hide_in_url(std::string_view url) {
  if (url.find("://") != std::string_view::npos) return hide_parameters(hide_user_info(url));
  if (url.starts_with("unix:") || url.starts_with('/')) return hide_parameters(url);
  const bool keywords = url.find('=') != std::string_view::npos;  // libpq's "host=h user=u"
  return std::string(keywords && !contains_any(url, {"pass"}) ? url : kHidden);
}

std::string hide_path_of_url(std::string_view url) {
  const auto shown = hide_in_url(url);
  const auto scheme = shown.find("://");
  if (scheme == std::string::npos) return std::string(kHidden);
  const auto path = shown.find_first_of("/?#", scheme + 3);
  return path == std::string::npos || shown.substr(path) == "/"
             ? shown
             : shown.substr(0, path) + "/" + std::string(kHidden);
}

bool header_sounds_secret(std::string_view name) {
  return contains_any(name, {"auth", "cookie", "key", "pass", "secret", "token"});
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  // Non-blocking, so that a named pipe nobody writes to is an empty file and not a hang.
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return failure("cannot read: " + std::string(std::strerror(errno)));
  std::string content;
  char buffer[16 * 1024];
  for (;;) {
    const auto count = read(file.fd, buffer, sizeof buffer);
    if (count == 0) return content;
    if (count > 0) {
      content.append(buffer, static_cast<std::size_t>(count));
      if (content.size() > limit)
        return failure("cannot read: larger than " + std::to_string(limit / 1024) + " KiB, the limit");
      continue;
    }
    if (errno == EINTR) continue;
    pollfd ready{file.fd, POLLIN, 0};
    if (errno != EAGAIN) return failure("cannot read: " + std::string(std::strerror(errno)));
    if (poll(&ready, 1, kReadTimeoutMs) == 0) return failure("cannot read: nothing came for five seconds");
  }
}

}  // namespace probegate::config
