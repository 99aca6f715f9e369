#include "sidecar/state_file.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "base/result.h"
#include "base/text.h"
#include "loop/thread.h"
#include "sidecar/record_file.h"
#include "sidecar/state_lock.h"

namespace probegate::sidecar {

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

  explicit Desk(std::string p) : path(std::move(p)), file(path) {}

  // Where the file is somebody else's, nothing is made beside it either.
  void take_lock() {
    if (file.usable()) lock.emplace(path);
  }

  void open(WallTime started) {
    Opening begun;
    take_lock();
    {
      const StateLock::Turn turn(lock);
      auto read = file.read();
      begun.record = std::move(read.record);
      begun.problem = std::move(read.problem);
      begun.unclean =
          begun.record.begin(started, [this](std::uint64_t start) { return lock && lock->alive(start); });
      number = begun.record.starts;
      if (lock) lock->hold(number);
      if (const auto written = file.write(begun.record); !written) {
        begun.problem += (begun.problem.empty() ? "" : "; ") + written.error().message;
      }
    }
    record = begun.record;
    const std::lock_guard hold(mutex);
    opening = std::move(begun);
    if (wakeup != nullptr) wakeup->notify();
  }

  void follow() {
    std::unique_lock hold(mutex);
    while (!ended) {
      changed.wait(hold, [this] { return last || !cause.empty(); });
      const auto next = std::exchange(cause, {});
      const bool ends = last;
      if (!next.empty()) {
        const auto at = ends ? std::optional(cause_at) : std::nullopt;
        hold.unlock();
        const auto written = write_end(next, at);
        hold.lock();
        problem = written ? "" : written.error().message;
        if (!written && wakeup != nullptr) wakeup->notify();
      }
      ended = ends && cause.empty();
      changed.notify_all();
    }
  }

  // Into what is on the disk by now: another process may have counted itself meanwhile.
  Result<void> write_end(std::string_view end, std::optional<WallTime> at) {
    const StateLock::Turn turn(lock);
    if (auto read = file.read(); read.problem.empty() && read.record.starts >= number) {
      record = std::move(read.record);
    }
    record.set_end(number, end, at);
    return file.write(record);
  }

  // The thread's own from here on.
  const std::string path;
  RecordFile file;
  std::optional<StateLock> lock;
  std::uint64_t number = 0;  // of this start
  health::StartRecord record;
};

StateFile::StateFile(loop::Loop& loop, const std::string& path, std::function<void(const Opening&)> opened,
                     std::function<void(const std::string&)> failed)
    : loop_(loop),
      opened_(std::move(opened)),
      failed_(std::move(failed)),
      wakeup_(loop, [this] { take(); }),
      desk_(std::make_shared<Desk>(path)) {
  desk_->wakeup = &wakeup_;
  loop::start_thread("state file", [desk = desk_, started = loop.wall_now()] {
    desk->open(started);
    desk->follow();
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
  const auto desk = std::make_shared<Desk>(path);
  loop::start_thread("state file", [desk, now] {
    desk->take_lock();
    {
      const StateLock::Turn turn(desk->lock);
      if (auto read = desk->file.read(); read.problem.empty()) {
        read.record.begin_stillborn(now);
        (void)desk->file.write(read.record);  // the failure to listen is what is told
      }
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

}  // namespace probegate::sidecar
