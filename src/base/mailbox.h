// Mailbox<T>: one slot between two threads, the newest value wins. Bounded by construction, without locks.
//
// Any thread puts, one thread takes; pair it with a loop::Wakeup so that the taker looks.
#pragma once

#include <atomic>
#include <memory>

namespace probegate {

template <typename T>
class Mailbox {
 public:
  Mailbox() = default;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox() { delete slot_.load(std::memory_order_acquire); }

  void put(std::unique_ptr<T> value) { delete slot_.exchange(value.release(), std::memory_order_acq_rel); }

  // Null when nothing new has been put since the last take.
  std::unique_ptr<T> take() {
    if (slot_.load(std::memory_order_acquire) == nullptr) return nullptr;  // spares the common case the lock
    return std::unique_ptr<T>(slot_.exchange(nullptr, std::memory_order_acq_rel));
  }

 private:
  std::atomic<T*> slot_{nullptr};
};

}  // namespace probegate
