// StateFile: keeps count of the starts, and the cause of each end, in a file that outlives the process.
//
// Owns: the job at the file, one at a time, as the file may lie on a volume that hangs; the loop waits for it
// only at the very end, and with a limit. Invariant: the file is one whole record or another, whenever the
// power goes; a file that cannot be read or written costs a warning and its evidence, never the start.
// Thread: the control loop.
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
    bool unclean = false;  // the process before this one had no time to say how it ended
    std::string problem;   // why there is no record of before, or none will stay; empty: all is well
  };

  // Reads the file and writes `running` into it; `opened` hears of it in a later turn. `failed` hears why a
  // later record could not be written.
  StateFile(loop::Loop& loop, const std::string& path, std::function<void(const Opening&)> opened,
            std::function<void(const std::string&)> failed);
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  void draining();
  // Writes the cause and waits until it is on the disk, at most so long. Why it is not there; empty: it is.
  std::string end(std::string_view cause, Duration limit);

  // For a process that ends before it has a loop to run: it could not listen.
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
  const std::shared_ptr<Writer> writer_;  // owners: we and the jobs, which outlive us when their file hangs
  std::unique_ptr<loop::BackgroundJob<Done>> job_;
  bool draining_due_ = false;  // once the job is done
};

}  // namespace probegate::sidecar
