// Sockets for the tools of the benchmark: addresses, listening, connecting, reading and writing until the
// kernel says wait. They use epoll and plain descriptors, not the program's own loop: what measures must not
// share code with what is measured, and a limit must have nothing between it and the kernel.
#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace bench {

// Says what went wrong (with errno's text if `with_errno`) and ends the process with 1: in a measurement
// every error is an error of the whole run.
[[noreturn]] void fail(std::string_view what, bool with_errno = false);

// `address` is IPv4:PORT or unix:/path. The descriptors do not block.
int listen_on(const std::string& address);
int connect_to(const std::string& address);
int accept_from(int listener);  // -1 when nobody waits

int new_epoll();
// Edge triggered, both ways: not one further epoll_ctl for the life of the descriptor.
void watch(int epoll, int fd, void* owner);

enum class Flow { kMoved, kBlocked, kEnded };
struct Moved {
  Flow flow;
  std::size_t bytes;
};
Moved receive(int fd, std::span<char> into);
Moved transmit(int fd, std::string_view bytes);

// The value of `--name` among the arguments, or `otherwise`.
std::string option(int argc, char** argv, std::string_view name, std::string_view otherwise);

}  // namespace bench
