// FileWatch: notifies the loop when the content of one of the watched files changes.
//
// Owns: a thread, because reading a file may hang, and inotify watches on the folders of the files. Watching
// folders also sees the swapped link by which Kubernetes updates a mounted folder, and an editor's rename.
// Where inotify fails or sees nothing (a network file system) the files are polled. Notifies at most once a
// second, and once for a quick succession of changes. A missing file causes no notification until it exists
// again. Thread: the control loop; files are read on the thread.
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

  // Watches these files from now on; with none the thread ends. Keeps what is known of files that stay.
  void watch(std::vector<std::string> files);
  // The same before the loop runs. Reads the files in this call, so that no later change is missed.
  void watch_from_now(std::vector<std::string> files);

 private:
  struct Shared;

  void start(std::vector<std::string> files, bool look_now);
  std::shared_ptr<Shared> stop();

  loop::Wakeup wakeup_;
  std::shared_ptr<Shared> shared_;  // shared with the thread, which outlives this object if a file hangs
};

}  // namespace probegate::sidecar
