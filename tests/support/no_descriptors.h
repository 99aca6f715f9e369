// While a NoDescriptors lives, this process can open no descriptor.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <stdexcept>

namespace probegate::test {

class NoDescriptors {
 public:
  NoDescriptors() {
    const int next = ::dup(0);  // the lowest that is free
    ::close(next);
    if (::getrlimit(RLIMIT_NOFILE, &before_) != 0) throw std::runtime_error("no limit to be read");
    const rlimit none{static_cast<rlim_t>(next), before_.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &none) != 0) throw std::runtime_error("no limit to be set");
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace probegate::test
