// The limit: a TCP relay that reads no byte of what it passes. What it costs, the kernel costs.
//
//   relay --listen ADDRESS --backend ADDRESS
//
// One thread, one shared 64 KiB buffer; what a side does not take at once waits in that side's own. Runs
// until it is killed.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "net.h"

namespace {

using bench::Flow;

std::array<char, 65536> buffer;

struct Pair;

struct Side {
  int fd = -1;
  Pair* pair = nullptr;
  std::string waiting;  // for this side to take it
  bool ended = false;   // sends no more
};

struct Pair {
  Side client;
  Side backend;
  bool dead = false;
};

bool flush(Side& to) {
  while (!to.waiting.empty()) {
    const auto [flow, count] = bench::transmit(to.fd, to.waiting);
    if (flow == Flow::kEnded) return false;
    if (flow == Flow::kBlocked) return true;
    to.waiting.erase(0, count);
  }
  return true;
}

// False when the pair is over.
bool pump(Side& from, Side& to, bool to_the_end) {
  while (to.waiting.empty() && !from.ended) {
    const auto [got, count] = bench::receive(from.fd, buffer);
    if (got == Flow::kBlocked) return true;
    if (got == Flow::kEnded) {
      from.ended = true;
      ::shutdown(to.fd, SHUT_WR);
      return !to.ended;
    }
    const auto [put, taken] = bench::transmit(to.fd, std::string_view(buffer.data(), count));
    if (put == Flow::kEnded) return false;
    if (taken < count) to.waiting.assign(buffer.data() + taken, count - taken);
    if (count < buffer.size() && !to_the_end) return true;  // empty now; more will be an edge
  }
  return true;
}

// An end that came together with bytes makes no edge of its own: then it is read on, at the price of one
// call.
void advance(Side& side, bool to_the_end) {
  Pair& pair = *side.pair;
  Side& other = &side == &pair.client ? pair.backend : pair.client;
  const bool had_waited = !side.waiting.empty();
  const bool alive = flush(side) && (!had_waited || pump(other, side, true)) && pump(side, other, to_the_end);
  if (alive || pair.dead) return;
  pair.dead = true;
  ::close(pair.client.fd);
  ::close(pair.backend.fd);
}

void serve(int listener, const std::string& backend) {
  const int epoll = bench::new_epoll();
  bench::watch(epoll, listener, nullptr);
  std::array<epoll_event, 256> events;
  std::vector<Pair*> dead;  // freed when no event of this turn can name them any more
  for (;;) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      auto* side = static_cast<Side*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (side != nullptr) {
        if (side->pair->dead) continue;
        advance(*side, (events[static_cast<std::size_t>(i)].events & EPOLLRDHUP) != 0);
        if (side->pair->dead) dead.push_back(side->pair);
        continue;
      }
      for (int fd; (fd = bench::accept_from(listener)) >= 0;) {
        auto* pair = new Pair{.client = {.fd = fd}, .backend = {.fd = bench::connect_to(backend)}};
        pair->client.pair = pair->backend.pair = pair;
        bench::watch(epoll, fd, &pair->client);
        bench::watch(epoll, pair->backend.fd, &pair->backend);
      }
    }
    for (Pair* pair : dead) delete pair;
    dead.clear();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string address = bench::option(argc, argv, "--listen", "");
  const std::string backend = bench::option(argc, argv, "--backend", "");
  if (address.empty() || backend.empty()) bench::fail("relay --listen ADDRESS --backend ADDRESS");
  serve(bench::listen_on(address), backend);
}
