#include "health/circuit_breaker.h"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "fake_clock.h"

namespace probegate::health {
namespace {

using namespace std::chrono_literals;
using Change = CircuitBreaker::Change;
using Ticket = CircuitBreaker::Ticket;

constexpr BreakerPolicy kPolicy{2, 30s};

// A breaker in each of its states, with a ticket that is still out where the state has one.
struct Bench {
  FakeClock clock;
  CircuitBreaker breaker;

  Ticket admit() {
    const auto ticket = breaker.admit(clock.now());
    REQUIRE(ticket);
    return *ticket;
  }
  bool refuses() { return !breaker.admit(clock.now()); }
  Change fail(Ticket ticket) { return breaker.failed(ticket, kPolicy, clock.now()); }
  void open() {
    CHECK(fail(admit()) == Change::none);
    CHECK(fail(admit()) == Change::opened);
  }
  Ticket begin_trial() {
    open();
    clock.advance(30s);
    return admit();
  }
};

}  // namespace

TEST_CASE("A new breaker is closed and lets everybody ask") {
  Bench bench;
  CHECK_FALSE(bench.breaker.open());
  for (int i = 0; i < 5; ++i) CHECK_FALSE(bench.admit().trial);
}

TEST_CASE("So many failures in a row open it, and a success in between starts the count again") {
  Bench bench;
  CHECK(bench.fail(bench.admit()) == Change::none);
  CHECK(bench.breaker.succeeded(bench.admit()) == Change::none);
  CHECK(bench.fail(bench.admit()) == Change::none);
  CHECK_FALSE(bench.breaker.open());
  CHECK(bench.fail(bench.admit()) == Change::opened);
  CHECK(bench.breaker.open());
  CHECK(bench.refuses());
}

TEST_CASE("The largest threshold that the configuration allows opens it, too") {
  FakeClock clock;
  CircuitBreaker breaker;
  const BreakerPolicy policy{1000, 1ms};
  for (int i = 1; i < 1000; ++i)
    REQUIRE(breaker.failed(*breaker.admit(clock.now()), policy, clock.now()) == Change::none);
  CHECK(breaker.failed(*breaker.admit(clock.now()), policy, clock.now()) == Change::opened);
}

TEST_CASE("An open breaker refuses until recovery has passed, then lets exactly one through") {
  Bench bench;
  bench.open();
  bench.clock.advance(30s - 1ns);
  CHECK(bench.refuses());
  CHECK(bench.breaker.open());
  bench.clock.advance(1ms);
  CHECK(bench.admit().trial);
  CHECK(bench.breaker.open());
  for (int i = 0; i < 3; ++i) CHECK(bench.refuses());
  bench.clock.advance(1h);
  CHECK(bench.refuses());  // whoever has the trial concludes it within his own deadline
}

TEST_CASE("A trial that succeeds closes it") {
  Bench bench;
  CHECK(bench.breaker.succeeded(bench.begin_trial()) == Change::closed);
  CHECK_FALSE(bench.breaker.open());
  CHECK_FALSE(bench.admit().trial);
  CHECK(bench.fail(bench.admit()) == Change::none);  // the count began anew
}

TEST_CASE("A trial that fails keeps it open for another recovery, and is no second opening") {
  Bench bench;
  CHECK(bench.fail(bench.begin_trial()) == Change::none);
  bench.clock.advance(29s);
  CHECK(bench.refuses());
  bench.clock.advance(1s);
  CHECK(bench.admit().trial);
}

TEST_CASE("A trial whose asker leaves goes to the next one at once") {
  Bench bench;
  bench.breaker.withdrawn(bench.begin_trial());
  CHECK(bench.breaker.open());
  const Ticket next = bench.admit();
  CHECK(next.trial);
  CHECK(bench.refuses());
  CHECK(bench.breaker.succeeded(next) == Change::closed);
}

TEST_CASE("Whoever leaves a closed breaker counts neither way") {
  Bench bench;
  CHECK(bench.fail(bench.admit()) == Change::none);
  bench.breaker.withdrawn(bench.admit());
  CHECK(bench.fail(bench.admit()) == Change::opened);
}

TEST_CASE("What tickets of an earlier period report changes nothing, in any state") {
  Bench bench;
  const Ticket old = bench.admit();
  const auto nothing = [&] {
    return bench.fail(old) == Change::none && bench.breaker.succeeded(old) == Change::none;
  };
  bench.open();
  CHECK(nothing());
  bench.breaker.withdrawn(old);
  CHECK(bench.refuses());
  bench.clock.advance(30s);
  const Ticket trial = bench.admit();
  CHECK(nothing());
  bench.breaker.withdrawn(old);
  CHECK(bench.refuses());
  CHECK(bench.breaker.succeeded(trial) == Change::closed);
  CHECK(bench.fail(bench.admit()) == Change::none);
  CHECK(nothing());  // a success would have reset the count, a failure opened it
  CHECK_FALSE(bench.breaker.open());
  CHECK(bench.fail(bench.admit()) == Change::opened);
}

TEST_CASE(
    "Of many threads that ask at the moment of recovery one alone gets the trial, and one hears of a "
    "change") {
  for (int round = 0; round < 50; ++round) {
    Bench bench;
    bench.open();
    bench.clock.advance(30s);
    std::atomic<int> trials{0}, closings{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        if (bench.breaker.admit(bench.clock.now())) ++trials;
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK(trials == 1);
    threads.clear();
    const Ticket trial{true, 1};
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        if (bench.breaker.succeeded(trial) == Change::closed) ++closings;
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK(closings == 1);
  }
}

}  // namespace probegate::health
