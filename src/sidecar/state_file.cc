#include "sidecar/state_file.h"

#include <exception>
#include <utility>

#include "base/result.h"
#include "base/text.h"
#include "sidecar/record_file.h"
#include "sidecar/state_lock.h"

namespace probegate::sidecar {
namespace {

constexpr const char* kThread = "state file";

}  // namespace

// Used by one job at a time.
class StateFile::Writer {
 public:
  explicit Writer(std::string path) : path_(std::move(path)), file_(path_) {}

  Opening open(WallTime started) {
    Opening begun;
    take_lock();
    const StateLock::Turn turn(lock_);
    auto read = file_.read();
    begun.record = std::move(read.record);
    begun.problem = std::move(read.problem);
    begun.unclean =
        begun.record.begin(started, [this](std::uint64_t start) { return lock_ && lock_->alive(start); });
    number_ = begun.record.starts;
    if (lock_) lock_->hold(number_);
    if (const auto written = file_.write(begun.record); !written) {
      begun.problem += (begun.problem.empty() ? "" : "; ") + written.error().message;
    }
    record_ = begun.record;
    return begun;
  }

  // Reads the file again first: another process may have added its start.
  std::string write_end(std::string_view end, std::optional<WallTime> at) {
    const StateLock::Turn turn(lock_);
    if (auto read = file_.read(); read.problem.empty() && read.record.starts >= number_) {
      record_ = std::move(read.record);
    }
    record_.set_end(number_, end, at);
    const auto written = file_.write(record_);
    return written ? "" : written.error().message;
  }

  void write_failed_start(WallTime now) {
    take_lock();
    const StateLock::Turn turn(lock_);
    if (auto read = file_.read(); read.problem.empty()) {
      read.record.begin_failed_start(now);
      (void)file_.write(read.record);  // only the failure to listen is reported
    }
  }

 private:
  // No lock file beside a file that is not ours.
  void take_lock() {
    if (file_.usable()) lock_.emplace(path_);
  }

  const std::string path_;
  RecordFile file_;
  std::optional<StateLock> lock_;
  std::uint64_t number_ = 0;  // of this start
  health::StartRecord record_;
};

StateFile::StateFile(loop::Loop& loop, const std::string& path, std::function<void(const Opening&)> opened,
                     std::function<void(const std::string&)> failed)
    : loop_(loop),
      opened_(std::move(opened)),
      failed_(std::move(failed)),
      writer_(std::make_shared<Writer>(path)) {
  begin([writer = writer_, started = loop.wall_now()] { return Done{writer->open(started), ""}; });
}

void StateFile::draining() {
  if (job_) {
    draining_due_ = true;
  } else {
    begin(write(health::end_cause::kDraining));
  }
}

std::string StateFile::end(std::string_view cause, Duration limit) {
  const TimePoint until = loop_.now() + limit;
  const std::string late = "not written within " + format_duration(limit);
  try {
    if (job_ && !job_->wait(limit)) return late;
    job_.reset();
    loop::BackgroundJob<Done> last(kThread, write(cause, loop_.wall_now()));
    const auto done = last.wait(until - loop_.now());
    return done ? done->problem : late;
  } catch (const std::exception& e) {
    return e.what();
  }
}

void StateFile::record_failed_start(const std::string& path, WallTime now, Duration limit) {
  loop::BackgroundJob<bool> job(kThread, [writer = std::make_shared<Writer>(path), now] {
    writer->write_failed_start(now);
    return true;
  });
  (void)job.wait(limit);
}

std::function<StateFile::Done()> StateFile::write(std::string_view cause, std::optional<WallTime> at) const {
  return [writer = writer_, end = std::string(cause), at] { return Done{{}, writer->write_end(end, at)}; };
}

void StateFile::begin(std::function<Done()> work) {
  try {
    job_ = std::make_unique<loop::BackgroundJob<Done>>(loop_, kThread, std::move(work),
                                                       [this](const Done& done) { finished(done); });
  } catch (const std::exception& e) {  // no thread available
    failed_(e.what());
  }
}

void StateFile::finished(const Done& done) {
  job_.reset();
  if (std::exchange(draining_due_, false)) begin(write(health::end_cause::kDraining));
  if (done.opening) opened_(*done.opening);
  if (!done.problem.empty()) failed_(done.problem);
}

}  // namespace probegate::sidecar
