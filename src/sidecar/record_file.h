// RecordFile: the record of starts as a file. It is one whole record or another, whenever the power goes, and
// a file that is somebody else's is never touched.
//
// Thread: the state file's; every call may hang where the volume hangs.
#pragma once

#include <string>

#include "base/result.h"
#include "health/start_record.h"

namespace probegate::sidecar {

class RecordFile {
 public:
  explicit RecordFile(std::string path) : path_(std::move(path)) {}

  // False for what is there and no regular file.
  bool usable() const;

  struct Read {
    health::StartRecord record;  // empty where there is no file yet, or a problem
    std::string problem;
  };
  // A damaged record is kept aside as FILE.unreadable, as it may be evidence. What is no record of ours (a
  // device, a directory, other content, a later version) is refused: it stays as it is, and write() does
  // nothing.
  Read read();
  Result<void> write(const health::StartRecord& record);

 private:
  Read refuse(std::string reason);

  const std::string path_;
  std::string refused_;  // why; empty: it is ours
};

}  // namespace probegate::sidecar
