// Counter, Gauge, Histogram: numbers that one thread writes and any thread reads, at the cost of
// a plain store.
//
// Invariant: one writer each. So an increment is load + add + store, relaxed: no lock prefix, and no cache
// line that moves between loops. A reader gets complete, never decreasing numbers, though not all from the
// same instant; a scrape needs no more. Not prometheus-cpp, because its counters are compare-and-swap loops
// shared by all threads, its histograms lock on the path of every message, and the packaged release does
// not support OpenMetrics.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/clock.h"
#include "metrics/labels.h"

namespace probegate::metrics {

class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Time summed up; exposed in seconds.
class DurationCounter {
 public:
  void add(Duration d) noexcept {
    nanoseconds_.add(d.count() > 0 ? static_cast<std::uint64_t>(d.count()) : 0);
  }
  double seconds() const noexcept { return static_cast<double>(nanoseconds_.value()) * 1e-9; }

 private:
  Counter nanoseconds_;
};

class Gauge {
 public:
  void set(std::int64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t n = 1) noexcept { set(value() + n); }
  void subtract(std::int64_t n = 1) noexcept { set(value() - n); }
  std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// The same buckets for all durations, so that they can be compared and summed: from a loopback hop to a
// usual request timeout.
inline constexpr std::array kDurationBuckets = {
    Duration(100'000),        Duration(250'000),       Duration(500'000),       Duration(1'000'000),
    Duration(2'500'000),      Duration(5'000'000),     Duration(10'000'000),    Duration(25'000'000),
    Duration(50'000'000),     Duration(100'000'000),   Duration(250'000'000),   Duration(500'000'000),
    Duration(1'000'000'000),  Duration(2'500'000'000), Duration(5'000'000'000), Duration(10'000'000'000),
    Duration(30'000'000'000), Duration(60'000'000'000)};

class Histogram {
 public:
  void observe(Duration d) noexcept {
    std::size_t bucket = 0;
    while (bucket < kDurationBuckets.size() && d > kDurationBuckets[bucket]) ++bucket;
    buckets_[bucket].add();
    sum_.add(d);
  }

  // Not cumulative; the last one counts everything above the highest bound. There is no separate count, so
  // _count always equals the +Inf bucket.
  std::uint64_t bucket(std::size_t index) const noexcept { return buckets_[index].value(); }
  double sum_seconds() const noexcept { return sum_.seconds(); }
  static constexpr std::size_t kBuckets = kDurationBuckets.size() + 1;

 private:
  std::array<Counter, kBuckets> buckets_;
  DurationCounter sum_;
};

// One number per word of a closed label set: refused[Reason::gate_closed].add().
template <typename Label, typename Number>
class PerLabel {
 public:
  Number& operator[](Label label) noexcept { return numbers_[static_cast<std::size_t>(label)]; }
  const Number& operator[](Label label) const noexcept { return numbers_[static_cast<std::size_t>(label)]; }

  // By the index in the label set.
  static constexpr std::size_t size() noexcept { return label_count<Label>; }
  Number& at(std::size_t index) noexcept { return numbers_[index]; }
  const Number& at(std::size_t index) const noexcept { return numbers_[index]; }

 private:
  std::array<Number, label_count<Label>> numbers_;
};

// Answers by HTTP status. A status outside of RFC 9110 (100 to 599) counts as `other`.
class CodeCounters {
 public:
  static constexpr int kFirst = 100;
  static constexpr int kLast = 599;

  void add(int code) noexcept { counters_[slot(code)].add(); }
  std::uint64_t value(int code) const noexcept { return counters_[slot(code)].value(); }
  std::uint64_t other() const noexcept { return counters_[kOther].value(); }

  static CodeClass class_of(int code) noexcept {
    return code >= kFirst && code <= kLast ? static_cast<CodeClass>(code / 100 - 1) : CodeClass::other;
  }

 private:
  static constexpr std::size_t kOther = kLast - kFirst + 1;
  static std::size_t slot(int code) noexcept {
    return code >= kFirst && code <= kLast ? static_cast<std::size_t>(code - kFirst) : kOther;
  }
  std::array<Counter, kOther + 1> counters_;
};

}  // namespace probegate::metrics
