#include "loop/worker.h"

namespace probegate::loop {

Worker::Worker(Log& log, std::string complaint)
    : log_(log), complaint_(std::move(complaint)), loop_(*this), mail_(loop_, [this] { on_wakeup(); }) {}

Worker::~Worker() {
  if (!thread_) return;
  stop();
  join();
}

void Worker::start(std::string name, std::function<void()> at_end) {
  thread_.emplace(std::move(name), [this, at_end = std::move(at_end)] {
    loop_.run();
    at_end();
  });
}

void Worker::stop() {
  post([this] { loop_.stop(); });
}

void Worker::join() {
  if (thread_) thread_->join();
}

bool Worker::join(Duration limit) { return !thread_ || thread_->join(limit); }

// Each is called separately, so that an exception of one does not prevent the others.
void Worker::on_wakeup() {
  for (const auto& task : inbox_.take_all()) {
    loop_.enter(this, [&task] { task->run(); });
  }
}

void Worker::on_exception(const std::string& what) noexcept {
  try {
    log_.error(complaint_, {{"what", what}});
  } catch (...) {
    // No memory for the message: the loop continues.
  }
}

}  // namespace probegate::loop
