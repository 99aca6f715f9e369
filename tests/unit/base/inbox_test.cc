#include "base/inbox.h"

#include <catch2/catch.hpp>
#include <memory>
#include <thread>

using probegate::Inbox;

TEST_CASE("Inbox gives everything once, the oldest first") {
  Inbox<int> inbox;
  CHECK(inbox.take_all().empty());
  for (int i = 1; i <= 3; ++i) inbox.put(i);
  CHECK(inbox.take_all() == std::vector<int>{1, 2, 3});
  CHECK(inbox.take_all().empty());
}

TEST_CASE("Inbox frees what nobody took") {
  const auto token = std::make_shared<int>(1);
  {
    Inbox<std::shared_ptr<int>> inbox;
    inbox.put(token);
    inbox.put(token);
    CHECK(token.use_count() == 3);
  }
  CHECK(token.use_count() == 1);
}

TEST_CASE("Inbox loses nothing and keeps each sender's order while several threads put and one takes") {
  constexpr int kSenders = 3;
  constexpr int kEach = 20'000;
  Inbox<std::pair<int, int>> inbox;
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&inbox, sender] {
      for (int i = 0; i < kEach; ++i) inbox.put({sender, i});
    });
  }
  std::vector<int> next(kSenders, 0);
  bool in_order = true;
  for (int taken = 0; taken < kSenders * kEach;) {
    for (const auto& [sender, number] : inbox.take_all()) {
      auto& expected = next[static_cast<std::size_t>(sender)];
      in_order = in_order && number == expected;
      ++expected;
      ++taken;
    }
  }
  for (auto& sender : senders) sender.join();
  CHECK(in_order);
  CHECK(inbox.take_all().empty());
}
