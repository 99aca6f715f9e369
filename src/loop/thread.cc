#include "loop/thread.h"

#include <signal.h>
#include <time.h>

#include <cerrno>
#include <memory>
#include <system_error>

namespace probegate::loop {
namespace {

struct Start {
  std::string name;
  std::function<void()> run;
};

void enter(const Start& start) {
  // The kernel rejects longer names.
  ::pthread_setname_np(::pthread_self(), start.name.substr(0, 15).c_str());
  start.run();
}

timespec wall_time_in(Duration limit) {
  timespec at{};
  ::clock_gettime(CLOCK_REALTIME, &at);
  const auto nanoseconds = at.tv_nsec + limit.count();
  at.tv_sec += static_cast<time_t>(nanoseconds / 1'000'000'000);
  at.tv_nsec = static_cast<long>(nanoseconds % 1'000'000'000);
  return at;
}

}  // namespace

LeavableThread::LeavableThread(std::string name, std::function<void()> run, std::size_t stack) {
  auto start = std::make_unique<Start>(Start{std::move(name), std::move(run)});
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (stack != kSystemStack) pthread_attr_setstacksize(&attributes, stack);
  sigset_t all;  // blocked here, so that the thread inherits the mask from its start
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(
      &thread_, &attributes,
      [](void* given) -> void* {
        const std::unique_ptr<Start> mine(static_cast<Start*>(given));
        enter(*mine);
        return nullptr;
      },
      start.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error != 0) throw std::system_error(error, std::generic_category(), "cannot start a thread");
  start.release();  // NOLINT(bugprone-unused-return-value): the thread owns it
}

LeavableThread::~LeavableThread() {
  if (!joined_) pthread_detach(thread_);
}

void LeavableThread::join() {
  if (!joined_) pthread_join(thread_, nullptr);
  joined_ = true;
}

bool LeavableThread::join(Duration limit) {
  if (joined_) return true;
  const timespec at = wall_time_in(limit);
  joined_ = (limit > Duration::zero() ? pthread_timedjoin_np(thread_, nullptr, &at)
                                      : pthread_tryjoin_np(thread_, nullptr)) == 0;
  return joined_;
}

}  // namespace probegate::loop
