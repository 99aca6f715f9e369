// FileWatch: tells the loop that one of some files has another content.
//
// Owns: a thread, as looking at a file may hang, and inotify on the folders of the files: so the swap of a
// link, as Kubernetes updates a mounted folder, and an editor's rename are seen as well as a write. Where
// inotify fails or sees nothing (a network file system) the files are polled. What happens in quick
// succession is told once, and at most once a second. A file that is gone tells nothing until it is there
// again. Thread: the control loop, but for the looking.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "loop/wakeup.h"

namespace probegate::sidecar {

class FileWatch {
 public:
  FileWatch(loop::Loop& loop, std::function<void()> changed);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  // These files from now on; none: the thread ends. What is known of a file that stays is kept.
  void watch(std::vector<std::string> files);
  // The same before the loop runs: what they hold now is read here, so that no change after this is missed.
  void watch_from_now(std::vector<std::string> files);

 private:
  struct Shared;

  void start(std::vector<std::string> files, bool look_now);
  std::shared_ptr<Shared> stop();

  loop::Wakeup wakeup_;
  std::shared_ptr<Shared> shared_;  // shared with the thread, which outlives us when a file hangs
};

}  // namespace probegate::sidecar
