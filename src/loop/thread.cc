#include "loop/thread.h"

#include <signal.h>
#include <time.h>

#include <cerrno>
#include <memory>
#include <system_error>

namespace probegate::loop {
namespace {

// Far more than TLS, SCRAM and JSON were seen to need (some 60 KiB), and only what is touched is resident.
constexpr std::size_t kStack = 1024 * 1024;

struct Start {
  std::string name;
  std::function<void()> run;
};

void enter(const Start& start) {
  // The kernel refuses longer names instead of cutting them.
  ::pthread_setname_np(::pthread_self(), start.name.substr(0, 15).c_str());
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
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

std::thread start_thread(std::string name, std::function<void()> run) {
  return std::thread([start = Start{std::move(name), std::move(run)}] { enter(start); });
}

LeavableThread::LeavableThread(std::string name, std::function<void()> run) {
  auto start = std::make_unique<Start>(Start{std::move(name), std::move(run)});
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  const int error = pthread_create(
      &thread_, &attributes,
      [](void* given) -> void* {
        const std::unique_ptr<Start> mine(static_cast<Start*>(given));
        enter(*mine);
        return nullptr;
      },
      start.get());
  pthread_attr_destroy(&attributes);
  if (error != 0) throw std::system_error(error, std::generic_category(), "cannot start a thread");
  start.release();  // NOLINT(bugprone-unused-return-value): the thread owns it
}

LeavableThread::~LeavableThread() {
  if (!joined_) pthread_detach(thread_);
}

bool LeavableThread::join(Duration limit) {
  if (joined_) return true;
  const timespec at = wall_time_in(limit);
  joined_ = (limit > Duration::zero() ? pthread_timedjoin_np(thread_, nullptr, &at)
                                      : pthread_tryjoin_np(thread_, nullptr)) == 0;
  return joined_;
}

}  // namespace probegate::loop
