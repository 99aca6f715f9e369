#include "loop/worker.h"

namespace probegate::loop {

Worker::Worker(Log& log, std::string complaint)
    : log_(log), complaint_(std::move(complaint)), loop_(*this), mail_(loop_, [this] { on_wakeup(); }) {}

Worker::~Worker() {
  if (!thread_) return;
  stop();
  join();
}

void Worker::start(std::string name, std::function<void()> last_word) {
  thread_.emplace(std::move(name), [this, last_word = std::move(last_word)] {
    loop_.run();
    last_word();
  });
}

void Worker::stop() {
  post([this] { loop_.stop(); });
}

void Worker::join() {
  if (thread_) thread_->join();
}

bool Worker::join(Duration limit) { return !thread_ || thread_->join(limit); }

// Entered one by one: what one of them throws must not cost the others theirs.
void Worker::on_wakeup() {
  for (const auto& task : inbox_.take_all()) {
    loop_.enter(this, [&task] { task->run(); });
  }
}

void Worker::on_exception(const std::string& what) noexcept {
  try {
    log_.error(complaint_, {{"what", what}});
  } catch (...) {
    // Out of memory even for the message: the loop goes on.
  }
}

}  // namespace probegate::loop
