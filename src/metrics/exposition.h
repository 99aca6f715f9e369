// Exposition: writes metric families as Prometheus text 0.0.4 or OpenMetrics 1.0.
//
// Invariant: HELP and TYPE come once per family, before its samples, even if it has none; families
// do not interleave, because each call that begins a family ends the previous one. Both formats have
// the same series.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "metrics/counters.h"

namespace probegate::metrics {

enum class Format { prometheus_text, openmetrics };
std::string_view content_type(Format format);

class Exposition {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  explicit Exposition(Format format) : format_(format) {}

  // Each begins a family. Name counters without `_total`, infos without `_info`: in OpenMetrics only the
  // samples have the suffix, in the older format the family has it too.
  void counter(std::string_view name, std::string_view help) { begin(name, "_total", "counter", help); }
  void gauge(std::string_view name, std::string_view help) { begin(name, "", "gauge", help); }
  void histogram(std::string_view name, std::string_view help) { begin(name, "", "histogram", help); }
  void info(std::string_view name, std::string_view help) { begin(name, "_info", "info", help); }

  void sample(Labels labels, std::uint64_t value);
  void sample(Labels labels, std::int64_t value);
  void sample(Labels labels, int value) { sample(labels, std::int64_t{value}); }
  void sample(Labels labels, double value);
  // The sum of `count` histograms as one: buckets, +Inf, _sum and _count.
  void sample(Labels labels, const Histogram* const* histograms, std::size_t count);
  void sample(Labels labels, const Histogram& histogram) {
    const Histogram* one = &histogram;
    sample(labels, &one, 1);
  }

  std::string finish() &&;  // the whole text; OpenMetrics ends with # EOF

 private:
  void begin(std::string_view name, std::string_view suffix, std::string_view type, std::string_view help);
  void series(std::string_view suffix, Labels labels, std::string_view le = {});
  void value(std::uint64_t number);
  void value(double number);

  Format format_;
  std::string out_;
  std::string name_;
  std::string suffix_;
};

}  // namespace probegate::metrics
