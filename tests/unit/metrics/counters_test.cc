#include "metrics/counters.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "metrics/data_loop_metrics.h"

namespace probegate::metrics {
namespace {

using namespace std::chrono_literals;

TEST_CASE("A counter shows a reader on another thread every value in order and none torn") {
  Counter counter;
  constexpr std::uint64_t kStep = 0x1'0000'0001;  // both halves change, so a torn read would show
  constexpr std::uint64_t kSteps = 200'000;
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kSteps; ++i) counter.add(kStep);
  });
  std::uint64_t last = 0;
  bool ordered = true;
  bool whole = true;
  while (last < kSteps * kStep) {
    const std::uint64_t now = counter.value();
    ordered = ordered && now >= last;
    whole = whole && now % kStep == 0;
    last = now;
  }
  writer.join();
  CHECK(ordered);
  CHECK(whole);
}

TEST_CASE("A histogram puts a duration in the bucket whose bound it does not exceed") {
  Histogram histogram;
  histogram.observe(kDurationBuckets[3]);
  histogram.observe(kDurationBuckets[3] + 1ns);
  histogram.observe(0ns);
  histogram.observe(-5ns);
  histogram.observe(kDurationBuckets.back() + 1ns);
  CHECK(histogram.bucket(0) == 2);
  CHECK(histogram.bucket(3) == 1);
  CHECK(histogram.bucket(4) == 1);
  CHECK(histogram.bucket(Histogram::kBuckets - 1) == 1);
  CHECK(histogram.sum_seconds() == Approx(60.002));
}

TEST_CASE("The duration buckets rise") {
  for (std::size_t i = 1; i < kDurationBuckets.size(); ++i) {
    CHECK(kDurationBuckets[i - 1] < kDurationBuckets[i]);
  }
}

TEST_CASE("Codes outside HTTP's range count as other") {
  CodeCounters codes;
  for (const int code : {-1, 0, 99, 600, 999}) codes.add(code);
  codes.add(100);
  codes.add(599);
  CHECK(codes.other() == 5);
  CHECK(codes.value(100) == 1);
  CHECK(codes.value(599) == 1);
}

TEST_CASE("Two data loops never share a cache line") {
  CHECK(alignof(DataLoopMetrics) == kCacheLine);
  CHECK(sizeof(DataLoopMetrics) % kCacheLine == 0);
}

TEST_CASE("A gauge goes up, down and below zero") {
  Gauge gauge;
  gauge.add(3);
  gauge.subtract(5);
  CHECK(gauge.value() == -2);
  gauge.set(7);
  CHECK(gauge.value() == 7);
}

}  // namespace
}  // namespace probegate::metrics
