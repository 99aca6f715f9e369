#include "metrics/exposition.h"

#include <charconv>
#include <cmath>

namespace probegate::metrics {
namespace {

template <typename Number>
void append_number(std::string& out, Number number) {
  char text[32];
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

// The shortest text that reads back as the same number; a plain decimal where that is short ("0.0001"),
// because it is easy to search for.
void append_number(std::string& out, double number) {
  constexpr std::size_t kShort = 21;
  char text[32];
  const auto plain = std::to_chars(text, text + kShort, number, std::chars_format::fixed);
  const bool fits = plain.ec == std::errc();
  out.append(text, fits ? plain.ptr : std::to_chars(text, text + sizeof text, number).ptr);
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    switch (c) {
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '"': out += quotes ? "\\\"" : "\""; break;
      default: out += c;
    }
  }
}

// "0.25", "1.0": OpenMetrics requires a decimal point, and the older format must have the same series.
std::string bound_text(Duration bound) {
  std::string text;
  append_number(text, to_seconds(bound));
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

std::string_view content_type(Format format) {
  return format == Format::openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                       : "text/plain; version=0.0.4; charset=utf-8";
}

void Exposition::begin(std::string_view name, std::string_view suffix, std::string_view type,
                       std::string_view help) {
  name_ = name;
  suffix_ = suffix;
  const bool bare = format_ == Format::openmetrics;
  if (!bare && type == "info") type = "gauge";
  for (const std::string_view word : {"HELP", "TYPE"}) {
    out_.append("# ").append(word).append(" ").append(name).append(bare ? "" : suffix).append(" ");
    if (word == "HELP") {
      append_escaped(out_, help, bare);
    } else {
      out_.append(type);
    }
    out_ += '\n';
  }
}

void Exposition::series(std::string_view suffix, Labels labels, std::string_view le) {
  out_.append(name_).append(suffix);
  char separator = '{';
  const auto label = [&](std::string_view name, std::string_view text) {
    out_ += separator;
    out_.append(name).append("=\"");
    append_escaped(out_, text, true);
    out_ += '"';
    separator = ',';
  };
  for (const auto& [name, text] : labels) label(name, text);
  if (!le.empty()) label("le", le);
  out_ += separator == ',' ? "} " : " ";
}

void Exposition::value(std::uint64_t number) {
  append_number(out_, number);
  out_ += '\n';
}

void Exposition::value(double number) {
  if (std::isnan(number)) {
    out_ += "NaN";
  } else if (std::isinf(number)) {
    out_ += number > 0 ? "+Inf" : "-Inf";
  } else {
    append_number(out_, number);
  }
  out_ += '\n';
}

void Exposition::sample(Labels labels, std::uint64_t number) {
  series(suffix_, labels);
  value(number);
}

void Exposition::sample(Labels labels, std::int64_t number) {
  series(suffix_, labels);
  append_number(out_, number);
  out_ += '\n';
}

void Exposition::sample(Labels labels, double number) {
  series(suffix_, labels);
  value(number);
}

void Exposition::sample(Labels labels, const Histogram* const* histograms, std::size_t count) {
  std::uint64_t total = 0;
  double sum = 0;
  for (std::size_t bucket = 0; bucket < Histogram::kBuckets; ++bucket) {
    for (std::size_t i = 0; i < count; ++i) total += histograms[i]->bucket(bucket);
    series("_bucket", labels,
           bucket < kDurationBuckets.size() ? bound_text(kDurationBuckets[bucket]) : std::string("+Inf"));
    value(total);
  }
  for (std::size_t i = 0; i < count; ++i) sum += histograms[i]->sum_seconds();
  series("_sum", labels);
  value(sum);
  series("_count", labels);
  value(total);
}

std::string Exposition::finish() && {
  if (format_ == Format::openmetrics) out_ += "# EOF\n";
  return std::move(out_);
}

}  // namespace probegate::metrics
