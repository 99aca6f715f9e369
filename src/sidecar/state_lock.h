// StateLock: lets processes that share one state file take turns, and know which of them live.
//
// During a rollout the old process still drains while the new one starts. Advisory locks of the open file
// (F_OFD_SETLK, Linux) on FILE.lock: byte 0 is held while the record is read and written, byte N by the
// process of the start with that number for as long as it lives, whatever ends it. Where the file system
// knows no locks every call does nothing, and nobody seems to live. Thread: the state file's.
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

  // Held while it lives. Waits for the other processes for at most a second: a lock that is never given back
  // must not cost this start its record.
  class Turn {
   public:
    explicit Turn(const std::optional<StateLock>& lock);  // without one it is nobody's turn
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
