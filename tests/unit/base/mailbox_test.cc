#include "base/mailbox.h"

#include <catch2/catch.hpp>
#include <thread>

using probegate::Mailbox;

namespace {

struct Counted {
  explicit Counted(int v, std::atomic<int>& a) : value(v), alive(a) { ++alive; }
  ~Counted() { --alive; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  int value;
  std::atomic<int>& alive;
};

}  // namespace

TEST_CASE("Mailbox gives the newest value once and then nothing") {
  Mailbox<int> mailbox;
  CHECK(mailbox.take() == nullptr);
  mailbox.put(std::make_unique<int>(1));
  mailbox.put(std::make_unique<int>(2));
  CHECK(*mailbox.take() == 2);
  CHECK(mailbox.take() == nullptr);
}

TEST_CASE("Mailbox frees what it replaces and what nobody took") {
  std::atomic<int> alive{0};
  {
    Mailbox<Counted> mailbox;
    mailbox.put(std::make_unique<Counted>(1, alive));
    mailbox.put(std::make_unique<Counted>(2, alive));
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

TEST_CASE("Mailbox between two threads hands over whole values, in order, and always the last one") {
  constexpr int kLast = 20'000;
  std::atomic<int> alive{0};
  int seen = 0;
  bool in_order = true;
  {
    Mailbox<Counted> mailbox;
    std::thread putter([&] {
      for (int i = 1; i <= kLast; ++i) mailbox.put(std::make_unique<Counted>(i, alive));
    });
    while (seen < kLast) {
      const auto value = mailbox.take();
      if (!value) continue;
      in_order = in_order && value->value > seen;
      seen = value->value;
    }
    putter.join();
    CHECK(mailbox.take() == nullptr);
  }
  CHECK(in_order);
  CHECK(alive == 0);
}
