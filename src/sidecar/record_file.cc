#include "sidecar/record_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "config/secrets.h"

namespace probegate::sidecar {
namespace {

constexpr std::size_t kMostBytes = 64 * 1024;  // twenty starts take 3 KiB

std::string why() { return std::strerror(errno); }

// Syncs the directory too: otherwise a power failure may undo the rename.
Result<void> sync_directory_of(const std::string& path) {
  auto directory = std::filesystem::path(path).parent_path().string();
  if (directory.empty()) directory = ".";
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failure("cannot open its directory: " + why());
  const bool synced = ::fsync(fd) == 0 || errno == EINVAL;  // some network file systems cannot sync it
  const auto problem = why();
  ::close(fd);
  if (!synced) return failure("cannot sync its directory: " + problem);
  return {};
}

Result<void> write_and_sync(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failure("cannot write it: " + why());
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd) != 0 && errno != EINVAL) return failure("cannot sync it: " + why());
  return {};
}

bool is_regular(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

Result<void> replace(const std::string& path, std::string_view text) {
  const std::string next = path + ".tmp";
  const int fd = ::open(next.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
  if (fd < 0) return failure("cannot write " + next + ": " + why());
  if (!is_regular(fd) || ::ftruncate(fd, 0) != 0) {
    ::close(fd);
    return failure(next + " is not a regular file; remove it");
  }
  const auto written = write_and_sync(fd, text);
  ::close(fd);
  if (!written) return written;
  if (::rename(next.c_str(), path.c_str()) != 0) return failure("cannot replace it: " + why());
  return sync_directory_of(path);
}

// On a full disk, marks the old record in place, which needs no space. The next start then knows that the
// record does not describe the end of its predecessor.
void mark_unwritten(const std::string& path) {
  const auto text = config::read_file(path, kMostBytes);
  if (!text) return;
  const auto mark = health::unwritten_mark(*text);
  if (!mark) return;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return;
  const auto size = static_cast<ssize_t>(mark->bytes.size());
  if (::pwrite(fd, mark->bytes.data(), mark->bytes.size(), static_cast<off_t>(mark->at)) == size) ::fsync(fd);
  ::close(fd);
}

std::string_view skip_blanks(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

// True if the text begins like a record of ours, even if the rest is missing or damaged.
bool begins_like_a_record(std::string_view text) {
  const auto brace = skip_blanks(text);
  return brace.starts_with('{') && skip_blanks(brace.substr(1)).starts_with("\"version\":");
}

}  // namespace

RecordFile::Read RecordFile::refuse(std::string reason) {
  refused_ = std::move(reason) + "; nothing is recorded";
  return {{}, refused_};
}

bool RecordFile::usable() const {
  struct stat info {};
  return ::stat(path_.c_str(), &info) != 0 || S_ISREG(info.st_mode);
}

RecordFile::Read RecordFile::read() {
  if (!refused_.empty()) return {{}, refused_};
  struct stat info {};
  if (::stat(path_.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return {{}, "cannot read it: " + why()};
  }
  if (!S_ISREG(info.st_mode)) return refuse("it is not a regular file");
  const auto text = config::read_file(path_, kMostBytes);
  if (!text) return refuse(text.error().message);
  if (skip_blanks(*text).empty()) return {};
  auto record = health::parse_start_record(*text);
  if (record) return {std::move(*record), {}};
  if (!begins_like_a_record(*text) || record.error().message.find("version") != std::string::npos) {
    return refuse(record.error().message + "; it is left unchanged");
  }
  const std::string aside = path_ + ".unreadable";
  const bool kept = ::rename(path_.c_str(), aside.c_str()) == 0;
  return {{},
          record.error().message + "; counting starts from zero" +
              (kept ? ", the old file is now " + aside : "")};
}

Result<void> RecordFile::write(const health::StartRecord& record) {
  if (!refused_.empty()) return {};  // already reported by read()
  auto written = replace(path_, to_json(record));
  if (!written) mark_unwritten(path_);
  return written;
}

}  // namespace probegate::sidecar
