// RecordFile: the record of starts in a file. The file is replaced atomically, so it holds a complete record
// even after a power failure. A file that is not ours is never changed.
//
// Thread: the state file's; every call hangs if the volume hangs.
#pragma once

#include <string>

#include "base/result.h"
#include "health/start_record.h"

namespace probegate::sidecar {

class RecordFile {
 public:
  explicit RecordFile(std::string path) : path_(std::move(path)) {}

  // False if the path exists and is not a regular file.
  bool usable() const;

  struct Read {
    health::StartRecord record;  // empty if there is no file yet, or a problem
    std::string problem;
  };
  // A damaged record is renamed to FILE.unreadable, as it may be evidence. Anything else (a device, a
  // directory, other content, a later version) is refused: it is left unchanged, and write() does nothing.
  Read read();
  Result<void> write(const health::StartRecord& record);

 private:
  Read refuse(std::string reason);

  const std::string path_;
  std::string refused_;  // why the file is refused; empty: it is ours
};

}  // namespace probegate::sidecar
