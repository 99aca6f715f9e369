// What the data loops share, asked as two loops would ask it.
#include "proxy/shared_limits.h"

#include <catch2/catch.hpp>

#include "support/test_loop.h"

namespace probegate::test {

using proxy::LoopLimits;
using proxy::SharedLimits;

TEST_CASE("Connections are limited so that each can have two descriptors and probes have theirs") {
  struct Case {
    std::uint64_t descriptors, configured, connections;
  };
  for (const auto& [descriptors, configured, connections] :
       {Case{1'000'000, 10'000, 10'000}, Case{1'000'000, 0, 499'544}, Case{1'024, 10'000, 408},
        Case{1'024, 100, 100}, Case{256, 10'000, 78}, Case{16, 10'000, 4}, Case{0, 10'000, 4}}) {
    CAPTURE(descriptors, configured);
    const SharedLimits limits(1, descriptors);
    const auto allowed = limits.connections(configured);
    CHECK(allowed == connections);
    if (descriptors >= 64) CHECK(2 * (allowed + limits.pipes()) + limits.surplus() + 24 <= descriptors);
  }
  const SharedLimits limits(1, 1'024);
  CHECK_FALSE(limits.is_reserve(943));
  CHECK(limits.is_reserve(944));
}

TEST_CASE(
    "Releases are spaced over all loops, the oldest first, and a loop that does not answer is passed over") {
  SharedLimits limits(2, 1'024);
  LoopLimits one(limits, 0), two(limits, 1);
  const auto at = [](Duration time) { return TimePoint(1000s + time); };
  one.oldest_waits(5);
  two.oldest_waits(6);
  CHECK(two.until_release(6, at(0ms), 20ms) == 1ms);  // it is the other one's turn
  CHECK(one.until_release(5, at(1ms), 20ms) == 0ms);
  one.oldest_waits(7);
  CHECK(two.until_release(6, at(2ms), 20ms) == 19ms);
  CHECK(one.until_release(7, at(2ms), 20ms) == 19ms);
  CHECK(one.until_release(7, at(21ms), 20ms) == 1ms);
  CHECK(two.until_release(6, at(21ms), 20ms) == 0ms);

  two.oldest_waits(8);  // and `one` does not come for its turn
  CHECK(two.until_release(8, at(41ms), 20ms) == 1ms);
  CHECK(two.until_release(8, at(140ms), 20ms) == 1ms);
  CHECK(two.until_release(8, at(141ms), 20ms) == 0ms);
  two.oldest_waits(9);
  CHECK(two.until_release(9, at(161ms), 20ms) == 1ms);  // each time anew
  one.nobody_waits();
  CHECK(two.until_release(9, at(162ms), 20ms) == 0ms);
}

TEST_CASE("A rate above what a timer can tell is kept, and what was missed for long is not made up for") {
  SharedLimits limits(1, 1'024);
  LoopLimits share(limits, 0);
  share.oldest_waits(1);
  const auto releases_at = [&](Duration time) {
    int released = 0;
    while (share.until_release(1, TimePoint(1000s + time), 500us) == Duration::zero()) ++released;
    return released;
  };
  int released = 0;
  for (int tick = 0; tick < 500; ++tick) released += releases_at(tick * 2ms);
  CHECK(released > 1990);
  CHECK(released < 2010);
  CHECK(releases_at(10s) == 1);
}

TEST_CASE("At the limit a loop asks another one to end idle connections, no more than it has") {
  SharedLimits limits(2, 1'024);
  LoopLimits one(limits, 0), two(limits, 1);
  int woken = 0;
  two.on_asked([&] { ++woken; });
  one.idle_now(5);
  CHECK_FALSE(one.ask_for_room());
  two.idle_now(2);
  CHECK(one.ask_for_room());
  CHECK(one.ask_for_room());
  CHECK_FALSE(one.ask_for_room());
  CHECK(woken == 2);
  CHECK(two.take_asked() == 2);
  CHECK(two.take_asked() == 0);
  CHECK(one.take_asked() == 0);
}

TEST_CASE("A loop with more connections than another leaves new ones to it") {
  SharedLimits limits(2, 1'024);
  LoopLimits one(limits, 0), two(limits, 1);
  for (int i = 0; i < 4; ++i) {
    CHECK(one.may_accept());
    one.connection_opened();
  }
  CHECK_FALSE(one.may_accept());
  CHECK(two.may_accept());
  CHECK(two.connection_opened() == 4);
  CHECK(one.may_accept());
  two.connections_closed(1);
  CHECK_FALSE(one.may_accept());
  CHECK(limits.open() == 4);
}

}  // namespace probegate::test
