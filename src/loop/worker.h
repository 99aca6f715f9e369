// Worker: a thread with a loop of its own, and an inbox of work for it.
//
// Owns: the thread, its loop, and what has been posted and not been run. What lives on the loop is built
// before start() and destroyed after join(), by the thread that owns the worker. Invariant: an exception that
// nothing narrower catches costs a line in the log and what threw it, never the loop. Thread: post() and
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
  // `complaint` is what the log says of such an exception.
  Worker(Log& log, std::string complaint);
  ~Worker() override;  // stop() and join()

  Loop& loop() { return loop_; }

  // The name shows in top -H. `last_word` is called on the thread when the loop has ended.
  void start(std::string name, std::function<void()> last_word);

  // Runs `work` on the loop, in the order of the posts. Not bounded by itself, as the inbox is not.
  template <typename Work>
  void post(Work work) {
    inbox_.put(std::make_unique<TaskOf<Work>>(std::move(work)));
    mail_.notify();
  }

  void stop();  // once what has been posted by now has run. May be repeated
  // For the end of a thread whose loop stops. Nothing to wait for where none was started.
  void join();
  bool join(Duration limit);  // false: it still runs

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
