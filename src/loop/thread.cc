#include "loop/thread.h"

#include <pthread.h>
#include <signal.h>

namespace probegate::loop {

std::thread start_thread(std::string name, std::function<void()> run) {
  return std::thread([name = std::move(name), run = std::move(run)] {
    ::pthread_setname_np(::pthread_self(), name.c_str());
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    run();
  });
}

}  // namespace probegate::loop
