#include "sidecar/file_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>

#include "config/document.h"
#include "config/secrets.h"
#include "loop/thread.h"

namespace probegate::sidecar {
namespace {

using namespace std::chrono_literals;
using Fingerprint = std::optional<std::size_t>;  // of the content; empty: not there

constexpr auto kQuiet = 200ms;   // after the last event of a change
constexpr auto kLongest = 2s;    // from its first event, if events keep coming
constexpr auto kApart = 1s;      // between a notification and the next look
constexpr auto kPoll = 2s;       // if inotify fails
constexpr auto kSlowPoll = 10s;  // if it works: for changes that it cannot see
constexpr auto kLastLook = 500ms;
constexpr int kMostLinks = 16;
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                  IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

Fingerprint look(const std::string& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return std::nullopt;
  const auto content = config::read_file(file, config::kMaxDocumentBytes);
  if (!content) return std::nullopt;
  return std::hash<std::string>()(*content);
}

// The folders in which a change of the file is visible: its own, and those of the links on its path.
std::set<std::string> folders_of(const std::string& file) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::set<std::string> folders;
  fs::path path = fs::absolute(file, error).lexically_normal();
  for (int links = 0; links <= kMostLinks; ++links) {
    folders.insert(path.parent_path().string());
    fs::path walked;
    fs::path followed;
    for (auto part = path.begin(); part != path.end() && followed.empty(); ++part) {
      walked /= *part;
      if (!fs::is_symlink(walked, error)) continue;
      folders.insert(walked.parent_path().string());
      const auto target = fs::read_symlink(walked, error);
      if (error) return folders;
      followed = target.is_absolute() ? target : walked.parent_path() / target;
      for (++part; part != path.end(); ++part) followed /= *part;
      break;
    }
    if (followed.empty()) return folders;
    path = followed.lexically_normal();
  }
  return folders;
}

struct Descriptor {
  int fd = -1;
  explicit Descriptor(int number) : fd(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

struct FileWatch::Shared {
  Descriptor woken{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;
  std::condition_variable finished;
  std::vector<std::string> files;
  loop::Wakeup* wakeup = nullptr;  // null once the FileWatch has stopped
  bool ended = false;

  void wake() const {
    const std::uint64_t one = 1;
    std::ignore = ::write(woken.fd, &one, sizeof one);
  }

  void run();
  bool differs(const std::vector<std::string>& current);  // from the last look; false at the first

 private:
  bool take_files(std::vector<std::string>& current);
  bool wait(int inotify, std::chrono::milliseconds time) const;
  void tell() {
    const std::lock_guard lock(mutex);
    if (wakeup != nullptr) wakeup->notify();
  }
  void watch_folders(const std::vector<std::string>& current, int inotify);

  std::map<std::string, Fingerprint> seen_;
  bool blind_ = false;  // inotify does not see every folder
};

// False when the thread is to end.
bool FileWatch::Shared::take_files(std::vector<std::string>& current) {
  const std::lock_guard lock(mutex);
  current = files;
  return wakeup != nullptr && !files.empty();
}

void FileWatch::Shared::watch_folders(const std::vector<std::string>& current, int inotify) {
  blind_ = inotify < 0;
  std::set<std::string> folders;
  for (const auto& file : current) folders.merge(folders_of(file));
  for (const auto& folder : folders) {
    if (inotify >= 0 && ::inotify_add_watch(inotify, folder.c_str(), kEvents) < 0) blind_ = true;
  }
}

bool FileWatch::Shared::differs(const std::vector<std::string>& current) {
  bool different = false;
  for (const auto& file : current) {
    const auto now = look(file);
    const auto [known, is_new] = seen_.emplace(file, now);
    if (is_new || !now || known->second == now) continue;
    known->second = now;
    different = true;
  }
  return different;
}

// Waits until something happens in a folder, wake() is called, or the time is over. True if it was the first.
bool FileWatch::Shared::wait(int inotify, std::chrono::milliseconds time) const {
  pollfd sources[] = {{woken.fd, POLLIN, 0}, {inotify, POLLIN, 0}};
  ::poll(sources, inotify >= 0 ? 2 : 1, static_cast<int>(time.count()));
  std::uint64_t count = 0;
  std::ignore = ::read(woken.fd, &count, sizeof count);
  alignas(inotify_event) char events[4096];
  bool happened = false;
  while (inotify >= 0 && ::read(inotify, events, sizeof events) > 0) happened = true;
  return happened;
}

void FileWatch::Shared::run() {
  const Descriptor inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  std::vector<std::string> current;
  while (take_files(current)) {
    watch_folders(current, inotify.fd);  // before the look, so that no change in between is missed
    if (differs(current)) {
      tell();
      wait(-1, kApart);
      continue;  // the reload may have changed the list of files
    }
    if (!wait(inotify.fd, blind_ ? kPoll : kSlowPoll)) continue;
    for (auto waited = 0ms; waited < kLongest && wait(inotify.fd, kQuiet); waited += kQuiet) {
    }
  }
}

FileWatch::FileWatch(loop::Loop& loop, std::function<void()> changed) : wakeup_(loop, std::move(changed)) {}

FileWatch::~FileWatch() {
  const auto shared = stop();
  if (!shared) return;
  std::unique_lock lock(shared->mutex);
  shared->finished.wait_for(lock, kLastLook, [&] { return shared->ended; });
}

void FileWatch::watch(std::vector<std::string> files) {
  if (files.empty()) {
    stop();
    return;
  }
  if (!shared_) return start(std::move(files), false);
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->files = std::move(files);
  }
  shared_->wake();
}

void FileWatch::watch_from_now(std::vector<std::string> files) {
  if (!files.empty()) start(std::move(files), true);
}

void FileWatch::start(std::vector<std::string> files, bool look_now) {
  auto shared = std::make_shared<Shared>();
  if (look_now) shared->differs(files);
  shared->files = std::move(files);
  shared->wakeup = &wakeup_;
  try {
    const loop::LeavableThread left_behind("file-watch", [shared] {
      try {
        shared->run();
      } catch (const std::exception&) {
        // Out of memory: changes are no longer noticed; SIGHUP still reloads.
      }
      const std::lock_guard lock(shared->mutex);
      shared->ended = true;
      shared->finished.notify_all();
    });
    shared_ = std::move(shared);
  } catch (const std::system_error&) {
    // No thread available; the next reload tries again.
  }
}

std::shared_ptr<FileWatch::Shared> FileWatch::stop() {
  auto shared = std::exchange(shared_, nullptr);
  if (!shared) return shared;
  const std::lock_guard lock(shared->mutex);
  shared->wakeup = nullptr;
  shared->wake();
  return shared;
}

}  // namespace probegate::sidecar
