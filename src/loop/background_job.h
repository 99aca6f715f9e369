// BackgroundJob<T>: runs one blocking call on its own thread and passes the result to the loop.
//
// If the job is destroyed before the call has returned, the thread is abandoned, so the call must own or
// share everything it uses, unless the owner joins. An exception of the call is rethrown on the loop. Thread:
// the loop's, except for the call.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "loop/thread.h"
#include "loop/wakeup.h"

namespace probegate::loop {

template <typename T>
class BackgroundJob {
 public:
  // Throws std::system_error if no thread can be created. `done` may destroy this object.
  BackgroundJob(Loop& loop, std::string name, std::function<T()> call, std::function<void(T)> done)
      : done_(std::move(done)), wakeup_(std::in_place, loop, [this] { deliver(); }) {
    shared_->wakeup = &*wakeup_;
    start(std::move(name), std::move(call));
  }
  // For a process without a loop: only wait() returns the result.
  BackgroundJob(std::string name, std::function<T()> call) { start(std::move(name), std::move(call)); }

  ~BackgroundJob() {
    const std::lock_guard lock(shared_->mutex);
    shared_->wakeup = nullptr;
  }
  BackgroundJob(const BackgroundJob&) = delete;
  BackgroundJob& operator=(const BackgroundJob&) = delete;

  // Waits for the result, if `done` was not called yet; `done` is then not called. Empty: no result
  // within the limit.
  std::optional<T> wait(Duration limit) {
    std::unique_lock lock(shared_->mutex);
    shared_->finished.wait_for(lock, limit, [this] { return shared_->is_over(); });
    return std::exchange(shared_->result, std::nullopt);
  }
  void join() { thread_->join(); }  // waits for the call itself
  bool joined() const { return thread_->joined(); }

 private:
  struct Shared {
    bool is_over() const { return result.has_value() || thrown; }

    std::mutex mutex;
    std::condition_variable finished;
    Wakeup* wakeup = nullptr;  // null once the owner is gone
    std::optional<T> result;
    std::exception_ptr thrown;
  };

  void start(std::string name, std::function<T()> call) {
    thread_.emplace(std::move(name), [shared = shared_, call = std::move(call)] {
      std::optional<T> result;
      std::exception_ptr thrown;
      try {
        result = call();
      } catch (...) {
        thrown = std::current_exception();
      }
      const std::lock_guard lock(shared->mutex);
      shared->result = std::move(result);
      shared->thrown = thrown;
      if (shared->wakeup != nullptr) shared->wakeup->notify();
      shared->finished.notify_all();
    });
  }

  void deliver() {
    std::optional<T> result;
    std::exception_ptr thrown;
    {
      const std::lock_guard lock(shared_->mutex);
      result.swap(shared_->result);
      std::swap(thrown, shared_->thrown);
    }
    if (thrown) std::rethrow_exception(thrown);
    if (!result) return;
    const auto done = std::move(done_);
    done(*std::move(result));
  }

  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();  // owners: this and the thread
  std::function<void(T)> done_;
  std::optional<Wakeup> wakeup_;
  std::optional<LeavableThread> thread_;
};

}  // namespace probegate::loop
