// StateFile: records the number of starts and the cause of each end in a file that outlives the process.
//
// Owns: a background job for the file, one at a time, because the volume may hang; the loop waits for it only
// at the very end, with a limit. Invariant: the file holds a complete record even after a power failure; a
// file that cannot be read or written causes a warning and never prevents the start. Thread: the control
// loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "health/start_record.h"
#include "loop/background_job.h"
#include "loop/loop.h"

namespace probegate::sidecar {

class StateFile {
 public:
  struct Opening {
    health::StartRecord record;
    bool unclean = false;  // the previous process did not record how it ended
    std::string problem;   // why the record could not be read or written; empty: no problem
  };

  // Reads the file and writes `running` into it, then calls `opened` in a later turn. Calls `failed` if a
  // later record cannot be written.
  StateFile(loop::Loop& loop, const std::string& path, std::function<void(const Opening&)> opened,
            std::function<void(const std::string&)> failed);
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  void draining();
  // Writes the cause and waits until it is on the disk, at most for `limit`. Returns the problem, or an empty
  // text.
  std::string end(std::string_view cause, Duration limit);

  // For a process that cannot listen and ends before its loop runs.
  static void record_failed_start(const std::string& path, WallTime now, Duration limit);

 private:
  class Writer;
  struct Done {
    std::optional<Opening> opening;
    std::string problem;  // why the latest record is not on the disk
  };

  void begin(std::function<Done()> work);
  void finished(const Done& done);
  std::function<Done()> write(std::string_view cause, std::optional<WallTime> at = {}) const;

  loop::Loop& loop_;
  const std::function<void(const Opening&)> opened_;
  const std::function<void(const std::string&)> failed_;
  const std::shared_ptr<Writer> writer_;  // shared with the jobs, which outlive this if the file hangs
  std::unique_ptr<loop::BackgroundJob<Done>> job_;
  bool draining_due_ = false;  // once the job is done
};

}  // namespace probegate::sidecar
