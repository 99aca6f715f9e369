// Mailbox<T>: a lock-free slot between two threads; a new value replaces the previous one.
//
// Any thread puts, one thread takes. Use it with a loop::Wakeup to notify the taking thread.
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

  // Null when nothing was put since the last take.
  std::unique_ptr<T> take() {
    if (slot_.load(std::memory_order_acquire) == nullptr)
      return nullptr;  // common case without a locked instruction
    return std::unique_ptr<T>(slot_.exchange(nullptr, std::memory_order_acq_rel));
  }

 private:
  std::atomic<T*> slot_{nullptr};
};

}  // namespace probegate
