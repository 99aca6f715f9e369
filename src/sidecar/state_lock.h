// StateLock: coordinates processes that share one state file, and tells which of them are alive.
//
// Needed because during a rollout the old process still drains while the new one starts. Uses open file
// description locks (F_OFD_SETLK, Linux) on FILE.lock: byte 0 is locked while the record is read and written;
// byte N is locked by the process of start number N until it ends in any way. On a file system without locks
// every call does nothing, and no process counts as alive. Thread: the state file's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace probegate::sidecar {

class StateLock {
 public:
  explicit StateLock(const std::string& path);
  ~StateLock();
  StateLock(const StateLock&) = delete;
  StateLock& operator=(const StateLock&) = delete;

  void hold(std::uint64_t number);  // until the process ends
  bool alive(std::uint64_t number) const;

  // Holds byte 0. Waits for other processes for at most a second, and then goes on without the lock, so that
  // a lock that is never released does not prevent the record.
  class Turn {
   public:
    explicit Turn(const std::optional<StateLock>& lock);  // without a lock it does nothing
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    const std::optional<StateLock>& lock_;
    bool held_ = false;
  };

 private:
  bool set(std::uint64_t byte, short type) const;

  const int fd_;
};

}  // namespace probegate::sidecar
