#include "app/state_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <optional>
#include <utility>

#include "base/result.h"
#include "base/text.h"
#include "config/secrets.h"
#include "loop/thread.h"

namespace probegate::app {
namespace {

constexpr std::size_t kMostBytes = 64 * 1024;  // twenty starts take three

std::string why() { return std::strerror(errno); }

// fsync of the directory too: without it a rename may be undone by a loss of power.
Result<void> sync_directory_of(const std::string& path) {
  auto directory = std::filesystem::path(path).parent_path().string();
  if (directory.empty()) directory = ".";
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failure("cannot open its directory: " + why());
  const bool synced = ::fsync(fd) == 0 || errno == EINVAL;  // some network file systems know no such thing
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

Result<void> replace(const std::string& path, std::string_view text) {
  const std::string next = path + ".tmp";
  const int fd = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return failure("cannot write " + next + ": " + why());
  const auto written = write_and_sync(fd, text);
  ::close(fd);
  if (!written) return written;
  if (::rename(next.c_str(), path.c_str()) != 0) return failure("cannot replace it: " + why());
  return sync_directory_of(path);
}

// Where not even a record of the same size finds space, the old one is marked in its place, so that the next
// start takes it for nobody's end.
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

Result<void> write_record(const std::string& path, const health::StartRecord& record) {
  auto written = replace(path, to_json(record));
  if (!written) mark_unwritten(path);
  return written;
}

// A file that is not there is an empty record.
Result<health::StartRecord> read_record(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) return health::StartRecord{};
  const auto text = config::read_file(path, kMostBytes);
  if (!text) return failure(text.error().message);
  return health::parse_start_record(*text);
}

}  // namespace

struct StateFile::Desk {
  std::mutex mutex;
  std::condition_variable changed;
  loop::Wakeup* wakeup = nullptr;  // null once nobody waits for it
  std::optional<Opening> opening;
  std::string cause;  // to be written next
  WallTime cause_at{};
  std::string problem;  // why the latest record is not on the disk
  bool last = false;    // nothing comes after `cause`
  bool ended = false;

  void open(const std::string& path, WallTime started) {
    Opening begun;
    auto read = read_record(path);
    if (read) {
      begun.record = std::move(*read);
    } else {
      // Kept aside: it may be evidence, or somebody else's file.
      const std::string aside = path + ".unreadable";
      const bool kept = ::rename(path.c_str(), aside.c_str()) == 0;
      begun.problem = read.error().message + "; counting begins anew" + (kept ? ", it is now " + aside : "");
    }
    begun.unclean = begun.record.begin(started);
    if (const auto written = write_record(path, begun.record); !written) {
      begun.problem += (begun.problem.empty() ? "" : "; ") + written.error().message;
    }
    record = begun.record;
    const std::lock_guard lock(mutex);
    opening = std::move(begun);
    if (wakeup != nullptr) wakeup->notify();
  }

  void follow(const std::string& path) {
    std::unique_lock lock(mutex);
    while (!ended) {
      changed.wait(lock, [this] { return last || !cause.empty(); });
      const auto next = std::exchange(cause, {});
      const bool ends = last;
      if (!next.empty()) {
        record.set_end(next, ends ? std::optional(cause_at) : std::nullopt);
        lock.unlock();
        const auto written = write_record(path, record);
        lock.lock();
        problem = written ? "" : written.error().message;
        if (!written && wakeup != nullptr) wakeup->notify();
      }
      ended = ends && cause.empty();
      changed.notify_all();
    }
  }

  health::StartRecord record;  // the thread's own
};

StateFile::StateFile(loop::Loop& loop, const std::string& path, std::function<void(const Opening&)> opened,
                     std::function<void(const std::string&)> failed)
    : loop_(loop),
      opened_(std::move(opened)),
      failed_(std::move(failed)),
      wakeup_(loop, [this] { take(); }),
      desk_(std::make_shared<Desk>()) {
  desk_->wakeup = &wakeup_;
  loop::start_thread("state file", [path, desk = desk_, started = loop.wall_now()] {
    desk->open(path, started);
    desk->follow(path);
  }).detach();
}

StateFile::~StateFile() {
  const std::lock_guard lock(desk_->mutex);
  desk_->wakeup = nullptr;
  desk_->last = true;
  desk_->changed.notify_all();
}

void StateFile::draining() {
  const std::lock_guard lock(desk_->mutex);
  desk_->cause = health::end_cause::kDraining;
  desk_->changed.notify_all();
}

std::string StateFile::end(std::string_view cause, Duration limit) {
  std::unique_lock lock(desk_->mutex);
  if (desk_->last) return {};
  desk_->cause = cause;
  desk_->cause_at = loop_.wall_now();
  desk_->last = true;
  desk_->changed.notify_all();
  if (desk_->changed.wait_for(lock, limit, [this] { return desk_->ended; })) return desk_->problem;
  return "it is not written after " + format_duration(limit);
}

void StateFile::record_stillborn(const std::string& path, WallTime now, Duration limit) {
  const auto desk = std::make_shared<Desk>();
  loop::start_thread("state file", [path, desk, now] {
    if (auto record = read_record(path)) {
      record->begin_stillborn(now);
      (void)replace(path, to_json(*record));  // the failure to listen is what is told
    }
    const std::lock_guard lock(desk->mutex);
    desk->ended = true;
    desk->changed.notify_all();
  }).detach();
  std::unique_lock lock(desk->mutex);
  desk->changed.wait_for(lock, limit, [&] { return desk->ended; });
}

void StateFile::take() {
  std::optional<Opening> opening;
  std::string problem;
  {
    const std::lock_guard lock(desk_->mutex);
    opening = std::exchange(desk_->opening, std::nullopt);
    if (!desk_->last) problem = std::exchange(desk_->problem, {});  // the last one is end()'s to tell
  }
  if (opening) opened_(*opening);
  if (!problem.empty()) failed_(problem);
}

}  // namespace probegate::app
