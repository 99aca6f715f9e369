// What crosses threads: Wakeup and Mailbox. Its own executable, so that it can run under ThreadSanitizer
// alone.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "base/mailbox.h"
#include "loop/channel.h"
#include "loop/thread.h"
#include "loop/timer.h"
#include "loop/wakeup.h"
#include "support/test_loop.h"

namespace probegate::test {

TEST_CASE(
    "Wakeup and Mailbox bring the newest value to another thread's loop, and never an older one after it") {
  constexpr int kLast = 100'000;
  TestLoop loop;
  Mailbox<int> mailbox;
  int newest = 0;
  bool in_order = true;
  loop::Wakeup wakeup(loop, [&] {
    while (const auto value = mailbox.take()) {
      in_order = in_order && *value > newest;
      newest = *value;
    }
  });
  std::thread sender([&] {
    for (int i = 1; i <= kLast; ++i) {
      mailbox.put(std::make_unique<int>(i));
      wakeup.notify();
    }
  });
  const bool arrived = loop.until([&] { return newest == kLast; }, 60s);
  sender.join();
  CHECK(arrived);
  CHECK(in_order);
}

TEST_CASE("Wakeup takes notifies of many threads at once") {
  TestLoop loop;
  std::atomic<int> sent{0};
  int calls = 0;
  loop::Wakeup wakeup(loop, [&] { ++calls; });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10'000; ++n) {
        sent.fetch_add(1, std::memory_order_relaxed);
        wakeup.notify();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(loop.until([&] { return calls > 0; }));
  CHECK(calls <= sent.load());
}

TEST_CASE("Two loops talk to each other until both are done") {
  constexpr int kRounds = 1000;
  struct Side {
    TestLoop loop;
    Mailbox<int> inbox;
    std::unique_ptr<loop::Wakeup> wakeup;
    int seen = 0;
  };
  Side left, right;
  const auto answer = [](Side& self, Side& other) {
    if (const auto value = self.inbox.take()) {
      self.seen = *value;
      other.inbox.put(std::make_unique<int>(*value + 1));
      other.wakeup->notify();
    }
  };
  left.wakeup = std::make_unique<loop::Wakeup>(*left.loop, [&] { answer(left, right); });
  right.wakeup = std::make_unique<loop::Wakeup>(*right.loop, [&] { answer(right, left); });
  left.inbox.put(std::make_unique<int>(1));
  left.wakeup->notify();
  std::atomic<bool> right_done{false};
  std::thread thread([&] { right_done = right.loop.until([&] { return right.seen >= kRounds; }, 60s); });
  const bool left_done = left.loop.until([&] { return left.seen >= kRounds; }, 60s);
  thread.join();
  CHECK(left_done);
  CHECK(right_done);
}

TEST_CASE("Mailbox holds one value, frees the ones it replaces, and is empty after a take") {
  Mailbox<std::shared_ptr<int>> mailbox;
  const auto token = std::make_shared<int>(1);
  CHECK_FALSE(mailbox.take());
  mailbox.put(std::make_unique<std::shared_ptr<int>>(token));
  mailbox.put(std::make_unique<std::shared_ptr<int>>(token));
  CHECK(token.use_count() == 2);
  CHECK(mailbox.take());
  CHECK_FALSE(mailbox.take());
  CHECK(token.use_count() == 1);
  {
    Mailbox<std::shared_ptr<int>> dropped;
    dropped.put(std::make_unique<std::shared_ptr<int>>(token));
  }
  CHECK(token.use_count() == 1);
}

TEST_CASE(
    "Channel brings all that many threads put, also from before it was opened, and none after its end") {
  loop::Channel<int> channel;
  channel.put(1);
  {
    TestLoop loop;
    std::vector<int> seen;
    channel.open(loop, [&] {
      for (const int value : channel.take_all()) seen.push_back(value);
    });
    REQUIRE(loop.until([&] { return seen == std::vector{1}; }));
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 1000; ++n) channel.put(n);
      });
    }
    CHECK(loop.until([&] { return seen.size() == 4001; }));
    for (auto& thread : threads) thread.join();
    channel.close();
  }
  channel.put(2);  // the loop is gone
  CHECK(channel.take_all() == std::vector{2});
}

TEST_CASE("LeavableThread is waited for no longer than asked, and joined once its code has returned") {
  std::atomic<bool> release{false};
  loop::LeavableThread thread("a name longer than the kernel takes", [&] {
    while (!release) std::this_thread::yield();
  });
  CHECK_FALSE(thread.join(0ms));
  CHECK_FALSE(thread.join(20ms));
  release = true;
  CHECK(thread.join(10s));
  CHECK(thread.join(0ms));
}

}  // namespace probegate::test
