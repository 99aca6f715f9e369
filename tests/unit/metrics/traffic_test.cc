#include "metrics/traffic.h"

#include <catch2/catch.hpp>
#include <memory>

namespace probegate::metrics {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart{1000s};
const WallTime kWall{std::chrono::seconds(1'795'780'800)};

Traffic with_messages(std::uint64_t count) {
  Traffic traffic;
  traffic.messages[Direction::client_to_backend] = count;
  return traffic;
}

// A service that relays one message a second, looked at every 5 s.
TrafficWindow one_a_second(Duration until) {
  TrafficWindow window(kStart);
  for (Duration t = TrafficWindow::kStep; t <= until; t += TrafficWindow::kStep) {
    window.look(kStart + t, kWall + t, with_messages(static_cast<std::uint64_t>(to_seconds(t))));
  }
  return window;
}

TEST_CASE("The traffic of all loops is added up") {
  const auto one = std::make_unique<DataLoopMetrics>();
  const auto two = std::make_unique<DataLoopMetrics>();
  one->requests.add(200);
  two->requests.add(503);
  two->requests.add(42);  // no status: "other"
  one->tunnels.set(3);
  two->tunnels.set(4);
  two->held.set(1);
  one->tunnel_messages[Direction::client_to_backend].add(5);
  two->tunnel_messages[Direction::backend_to_client].add(6);
  two->refused[Reason::gate_closed].add(2);
  one->upgrades[UpgradeResult::accepted].add(7);
  const DataLoopMetrics* loops[] = {one.get(), two.get()};
  const Traffic total = sum_up(loops);
  CHECK(total.requests == 3);
  CHECK(total.tunnels == 7);
  CHECK(total.held == 1);
  CHECK(total.all_messages() == 11);
  CHECK(total.all_refused() == 2);
  CHECK(total.upgrades[UpgradeResult::accepted] == 7);
}

TEST_CASE("The first minute counts from the start, without extrapolation") {
  const auto window = one_a_second(10s);
  CHECK(window.last_minute(kStart + 12s, with_messages(12)).messages == 12);
  CHECK(window.last_minute(kStart + 60s, with_messages(60)).messages == 60);
}

TEST_CASE("A steady rate is the same at any moment between two looks") {
  for (const Duration age : {60s, 61s, 64s, 65s, 119s, 600s, 603s}) {
    CAPTURE(age.count());
    const auto window = one_a_second(age);
    const auto now = with_messages(static_cast<std::uint64_t>(to_seconds(age)));
    CHECK(window.last_minute(kStart + age, now).messages == 60);
  }
}

TEST_CASE("What is older than the window does not count") {
  auto window = one_a_second(60s);
  for (Duration t = 65s; t <= 125s; t += 5s) window.look(kStart + t, kWall + t, with_messages(60));
  CHECK(window.last_minute(kStart + 125s, with_messages(60)).messages == 0);
}

TEST_CASE("A process that was not awake to look still knows its rate") {
  TrafficWindow window(kStart);
  CHECK(window.last_minute(kStart + 600s, with_messages(600)).messages == 60);
}

TEST_CASE("Refusals are remembered by reason and look, and only so many") {
  TrafficWindow window(kStart);
  Traffic total;
  total.refused[Reason::gate_closed] = 3;
  total.refused[Reason::bad_request] = 1;
  window.look(kStart + 5s, kWall + 5s, total);
  window.look(kStart + 10s, kWall + 10s, total);
  REQUIRE(window.refusals().size() == 2);
  CHECK(window.refusals()[0].reason == Reason::gate_closed);
  CHECK(window.refusals()[0].count == 3);
  CHECK((window.refusals()[0].wall == kWall + 5s));
  CHECK(window.refusals()[1].reason == Reason::bad_request);
  for (int i = 0; i < 200; ++i) {
    ++total.refused[Reason::draining];
    window.look(kStart + 15s + i * 5s, kWall, total);
  }
  CHECK(window.refusals().size() == TrafficWindow::kRefusals);
  CHECK(window.refusals().front().reason == Reason::draining);
}

TEST_CASE("Answers to upgrades are not counted among the requests by class") {
  const auto data = std::make_unique<DataLoopMetrics>();
  data->requests.add(101);
  data->upgrades[UpgradeResult::accepted].add();
  data->requests.add(503);
  data->upgrades_answered[CodeClass::server_error].add();
  for (const int code : {200, 204, 302, 404, 500, 500}) data->requests.add(code);
  const DataLoopMetrics* loops[] = {data.get()};
  const Traffic total = sum_up(loops);
  CHECK(total.requests == 8);
  CHECK(total.requests_by_class[CodeClass::informational] == 0);
  CHECK(total.requests_by_class[CodeClass::success] == 2);
  CHECK(total.requests_by_class[CodeClass::redirection] == 1);
  CHECK(total.requests_by_class[CodeClass::client_error] == 1);
  CHECK(total.requests_by_class[CodeClass::server_error] == 2);
}

TEST_CASE("More than half is most, and half is not") {
  LastMinute minute;
  CHECK_FALSE(minute.most_upgrades_fail());
  CHECK_FALSE(minute.most_requests_fail());
  minute.upgrades[UpgradeResult::accepted] = 3;
  minute.upgrades[UpgradeResult::refused] = 2;
  minute.upgrades[UpgradeResult::failed] = 1;
  CHECK_FALSE(minute.most_upgrades_fail());
  minute.upgrades[UpgradeResult::failed] = 2;
  CHECK(minute.most_upgrades_fail());
  minute.requests_by_class[CodeClass::success] = 4;
  minute.requests_by_class[CodeClass::client_error] = 2;
  minute.requests_by_class[CodeClass::server_error] = 4;
  CHECK_FALSE(minute.most_requests_fail());  // a client's mistake is no failure
  minute.refused_below_500 = 2;              // unless it was refused
  CHECK(minute.most_requests_fail());
}

TEST_CASE("A window counts what came in it by result, reason and class") {
  TrafficWindow window(kStart);
  Traffic total;
  total.upgrades[UpgradeResult::refused] = 10;
  total.upgrades_refused[Reason::auth_unavailable] = 10;
  total.requests_by_class[CodeClass::server_error] = 40;
  CHECK(window.last_minute(kStart + 10s, total).upgrades_refused[Reason::auth_unavailable] == 10);
  for (Duration t = 5s; t <= 120s; t += 5s) window.look(kStart + t, kWall + t, total);
  total.upgrades[UpgradeResult::accepted] = 1;
  const auto minute = window.last_minute(kStart + 120s, total);
  CHECK(minute.upgrades[UpgradeResult::refused] == 0);
  CHECK(minute.upgrades[UpgradeResult::accepted] == 1);
  CHECK(minute.requests_by_class[CodeClass::server_error] == 0);
}

}  // namespace
}  // namespace probegate::metrics
