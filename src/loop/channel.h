// Channel<T>: passes values from any thread to one loop, in order. Neither end has to outlive the other: both
// share ownership, and values put after close() are never delivered.
//
// Unbounded: its user limits the number of values. Thread: put() from any; open(), close() and take_all() on
// the taking loop's. The lock is held for at most one write to a wake-up.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/inbox.h"
#include "loop/wakeup.h"

namespace probegate::loop {

template <typename T>
class Channel {
 public:
  // `callback` is called in a later loop iteration whenever something was put, also before this call.
  void open(Loop& loop, std::function<void()> callback) {
    auto wakeup = std::make_unique<Wakeup>(loop, std::move(callback));
    const std::lock_guard lock(mutex_);
    wakeup_ = std::move(wakeup);
    wakeup_->notify();
  }
  // Call it before the loop ends. May be called again.
  void close() {
    std::unique_ptr<Wakeup> wakeup;
    const std::lock_guard lock(mutex_);
    wakeup.swap(wakeup_);
  }

  void put(T value) {
    inbox_.put(std::move(value));
    const std::lock_guard lock(mutex_);
    if (wakeup_) wakeup_->notify();
  }
  std::vector<T> take_all() { return inbox_.take_all(); }  // oldest first

 private:
  Inbox<T> inbox_;
  std::mutex mutex_;
  std::unique_ptr<Wakeup> wakeup_;
};

}  // namespace probegate::loop
