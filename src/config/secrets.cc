#include "config/secrets.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/url.h"

namespace probegate::config {
namespace {

constexpr int kReadTimeoutMs = 5000;
constexpr std::string_view kMark = "\xEF\xBB\xBF";

// Closes the descriptor in every case.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

}  // namespace

bool begins_with_mark(std::string_view text) { return text.starts_with(kMark); }

std::string_view without_line_ends(std::string_view text) {
  return text.substr(0, text.find_last_not_of("\r\n") + 1);
}

std::string_view blanks_around(std::string_view content) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto secret = without_line_ends(content);
  if (secret.empty()) return {};
  const bool before = kBlank.find(secret.front()) != kBlank.npos;
  const bool behind = kBlank.find(secret.back()) != kBlank.npos;
  if (before && behind) return "begins and ends with whitespace";
  if (before) return "begins with whitespace or an empty line";
  return behind ? "ends with whitespace" : std::string_view();
}

std::string_view trim_lines(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  if (begins_with_mark(text)) text.remove_prefix(kMark.size());
  const auto first = text.find_first_not_of(kBlank);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

Result<std::string> plain_address(std::string_view text) {
  const auto address = trim_lines(text);
  const bool quoted = address.size() >= 2 && (address.front() == '"' || address.front() == '\'') &&
                      address.back() == address.front();
  if (quoted) {
    return failure(
        "has quotes around it that are part of the value; remove them (env files and lists in "
        "Compose files keep them)");
  }
  return std::string(address);
}

std::string hide_in_url(std::string_view url) {
  const bool is_url =
      url.find("://") != std::string_view::npos || url.starts_with("unix:") || url.starts_with('/');
  return is_url ? redact_url(url) : std::string(kHidden);
}

std::string hide_path_of_url(std::string_view text) {
  auto url = parse_url(text);
  if (!url) return hide_in_url(text);
  const bool has_path = url->path.size() > 1 || !url->parameters.empty();
  url->path = has_path ? "/" + std::string(kHidden) : url->path;
  url->parameters.clear();
  url->fragment.reset();
  return url->shown();
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  // Non-blocking, so that a named pipe without a writer reads as an empty file and does not hang.
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
    if (poll(&ready, 1, kReadTimeoutMs) == 0) return failure("cannot read: no data for five seconds");
  }
}

}  // namespace probegate::config
