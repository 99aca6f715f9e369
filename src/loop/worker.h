// Worker: a thread with its own loop and an inbox of work.
//
// Owns: the thread, its loop, and posted work that has not run. Objects on the loop are created before
// start() and destroyed after join(), by the thread that owns the worker. Invariant: an exception that no
// inner scope handles is logged and ends only the work that threw it, never the loop. Thread: post() and
// stop() from any; everything else from the owner's.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/inbox.h"
#include "base/log.h"
#include "loop/loop.h"
#include "loop/thread.h"
#include "loop/wakeup.h"

namespace probegate::loop {

class Worker final : private ErrorSink {
 public:
  // `complaint` is the log message for such an exception.
  Worker(Log& log, std::string complaint);
  ~Worker() override;  // stop() and join()

  Loop& loop() { return loop_; }

  // The name shows in top -H. `at_end` is called on the thread after the loop has ended.
  void start(std::string name, std::function<void()> at_end);

  // Runs `work` on the loop, in the order of the posts. Not bounded by itself, as the inbox is not.
  template <typename Work>
  void post(Work work) {
    inbox_.put(std::make_unique<TaskOf<Work>>(std::move(work)));
    mail_.notify();
  }

  void stop();  // after the work posted so far has run; may be called again
  // Waits for the end of the thread, whose loop stops. Returns at once if it was not started.
  void join();
  bool join(Duration limit);  // false: still running

 private:
  struct Task {
    virtual ~Task() = default;
    virtual void run() = 0;
  };
  template <typename Work>
  struct TaskOf final : Task {
    explicit TaskOf(Work given) : work(std::move(given)) {}
    void run() override { work(); }
    Work work;
  };

  void on_wakeup();
  void on_exception(const std::string& what) noexcept override;

  Log& log_;
  const std::string complaint_;
  Loop loop_;
  Inbox<std::unique_ptr<Task>> inbox_;
  Wakeup mail_;
  std::optional<LeavableThread> thread_;
};

}  // namespace probegate::loop
