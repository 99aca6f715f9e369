// The load generator. Does one kind of work over its connections when told to, and prints what it measured.
//
//   load --work echo|handshake|get --target ADDRESS [--size BYTES] [--window N] [--path /x] [--body-contains
//   TEXT]
//
// Commands come on stdin, one a line, each answered by a line of JSON; the end of stdin ends the connections:
//   open N       opens connections up to N
//   units N      does N units, at most `window` of them at once, the connections taking turns
//   seconds S    does units for so long
// Any wrong byte, status or silence is said on stderr and ends it with 1.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <deque>
#include <iostream>
#include <memory>
#include <sstream>
#include <vector>

#include "client.h"

namespace {

using bench::Client;

constexpr int kSilenceMs = 10'000;
constexpr std::size_t kMostSamples = 4'000'000;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

class Load {
 public:
  Load(bench::Work work, std::size_t window)
      : work_(std::move(work)), window_(window), epoll_(bench::new_epoll()) {}

  // At most 64 handshakes at once: a full accept queue would measure the kernel's retries.
  void open(std::size_t count) {
    std::size_t opening = 0;
    while (clients_.size() < count || opening > 0) {
      while (clients_.size() < count && opening < 64) {
        clients_.push_back(std::make_unique<Client>(work_, clients_.size()));
        Client& client = *clients_.back();
        client.open(epoll_);
        if (work_.kind == bench::Kind::kGet) {
          idle_.push_back(&client);
        } else {
          ++opening;
        }
      }
      if (opening > 0) {
        turn([&](Client& client) {
          idle_.push_back(&client);
          --opening;
        });
      }
    }
  }

  void run(std::size_t most_units, double seconds) {
    samples_.clear();
    const std::int64_t begun = now_ns();
    const std::int64_t until = begun + static_cast<std::int64_t>(seconds * 1e9);
    std::size_t started = 0;
    std::size_t running = 0;
    std::size_t done = 0;
    std::int64_t now = begun;
    const auto start = [&] {
      while (running < window_ && started < most_units && now < until && !idle_.empty()) {
        Client& client = *idle_.front();
        idle_.pop_front();
        client.begun_ns = now_ns();
        client.begin();
        ++started;
        ++running;
      }
    };
    for (start(); running > 0;) {
      turn([&](Client& client) {
        now = now_ns();
        if (samples_.size() < kMostSamples)
          samples_.push_back(static_cast<float>(now - client.begun_ns) / 1000);
        idle_.push_back(&client);
        --running;
        ++done;
        start();
      });
    }
    report(done, static_cast<double>(now_ns() - begun) / 1e9);
  }

  // A handshake opens its connections in its units.
  void prepare_handshakes() {
    for (std::size_t i = 0; i < window_; ++i) {
      clients_.push_back(std::make_unique<Client>(work_, i));
      clients_.back()->use(epoll_);
      idle_.push_back(clients_.back().get());
    }
  }

 private:
  template <typename Complete>
  void turn(const Complete& complete) {
    std::array<epoll_event, 256> events;
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kSilenceMs);
    if (count == 0) bench::fail("no answer from " + work_.target + " for 10 s");
    for (int i = 0; i < count; ++i) {
      auto& client = *static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (client.is_open() && client.advance()) complete(client);
    }
  }

  void report(std::size_t units, double seconds) {
    std::ranges::sort(samples_);
    const auto at = [&](double part) {
      return samples_.empty()
                 ? 0.0F
                 : samples_[static_cast<std::size_t>(part * static_cast<double>(samples_.size() - 1))];
    };
    std::printf(
        "{\"units\": %zu, \"seconds\": %.6f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"max\": %.1f}\n",
        units, seconds, at(0.5), at(0.9), at(0.99), at(1));
    std::fflush(stdout);
  }

  const bench::Work work_;
  const std::size_t window_;
  const int epoll_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::deque<Client*> idle_;
  std::vector<float> samples_;
};

bench::Kind kind(const std::string& name) {
  if (name == "echo") return bench::Kind::kEcho;
  if (name == "handshake") return bench::Kind::kHandshake;
  if (name == "get") return bench::Kind::kGet;
  bench::fail("--work is echo, handshake or get");
}

void obey(Load& load, bool handshakes) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    double number = 0;
    if (!(words >> command >> number) || number <= 0) bench::fail("bad command: " + line);
    if (command == "units") {
      load.run(static_cast<std::size_t>(number), 1e6);
    } else if (command == "seconds") {
      load.run(static_cast<std::size_t>(-1), number);
    } else if (command == "open" && !handshakes) {
      load.open(static_cast<std::size_t>(number));
      std::printf("{\"open\": %zu}\n", static_cast<std::size_t>(number));
      std::fflush(stdout);
    } else {
      bench::fail("bad command: " + line);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto option = [&](std::string_view name, std::string_view otherwise) {
    return bench::option(argc, argv, name, otherwise);
  };
  bench::Work work{
      .kind = kind(option("--work", "")),
      .target = option("--target", ""),
      .size = std::stoul(option("--size", "64")),
      .path = option("--path", "/"),
      .fields = std::stoul(option("--fields", "0")),
      .body_contains = option("--body-contains", ""),
  };
  const bool handshakes = work.kind == bench::Kind::kHandshake;
  Load load(std::move(work), std::stoul(option("--window", "1")));
  if (handshakes) load.prepare_handshakes();
  obey(load, handshakes);
}
