#include "client/prometheus_text.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "base/text.h"

namespace probegate::client {
namespace {

// Takes `name="value"` off the front and undoes its escapes; false if there is none.
bool take_label(std::string_view& text, MetricSample& sample) {
  const auto equals = text.find("=\"");
  if (equals == std::string_view::npos) return false;
  const std::string name(trim(text.substr(0, equals)));
  std::string value;
  for (std::size_t i = equals + 2; i < text.size(); ++i) {
    if (text[i] == '"') {
      sample.labels.insert_or_assign(name, value);
      text.remove_prefix(i + 1);
      return true;
    }
    if (text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      value += text[i] == 'n' ? '\n' : text[i];
    } else {
      value += text[i];
    }
  }
  return false;
}

bool take_labels(std::string_view& text, MetricSample& sample) {
  text.remove_prefix(1);  // {
  while (!text.empty() && text.front() != '}') {
    if (!take_label(text, sample)) return false;
    if (!text.empty() && text.front() == ',') text.remove_prefix(1);
  }
  if (text.empty()) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<MetricSample> read_line(std::string_view line) {
  if (line.empty() || line.front() == '#') return std::nullopt;
  MetricSample sample;
  const auto name_end = line.find_first_of("{ \t");
  if (name_end == std::string_view::npos || name_end == 0) return std::nullopt;
  sample.name = line.substr(0, name_end);
  line.remove_prefix(name_end);
  if (line.front() == '{' && !take_labels(line, sample)) return std::nullopt;
  line = trim(line);
  const auto number = line.substr(0, line.find_first_of(" \t"));  // a timestamp may follow
  const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), sample.value);
  if (code != std::errc{} || end != number.data() + number.size() || !std::isfinite(sample.value)) {
    return std::nullopt;
  }
  return sample;
}

}  // namespace

MetricSamples::MetricSamples(std::string_view text) {
  for (auto line : split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (auto sample = read_line(line)) samples_.push_back(std::move(*sample));
  }
}

double MetricSamples::sum(std::string_view name) const {
  double total = 0;
  for (const auto& sample : samples_) {
    if (sample.name == name) total += sample.value;
  }
  return total;
}

double MetricSamples::sum(std::string_view name, std::string_view label, std::string_view value) const {
  double total = 0;
  for (const auto& sample : samples_) {
    if (sample.name != name) continue;
    const auto found = sample.labels.find(label);
    if (found != sample.labels.end() && found->second == value) total += sample.value;
  }
  return total;
}

std::map<std::string, double> MetricSamples::by_label(std::string_view name, std::string_view label) const {
  std::map<std::string, double> sums;
  for (const auto& sample : samples_) {
    const auto found = sample.labels.find(label);
    if (sample.name == name && found != sample.labels.end() && sample.value > 0)
      sums[found->second] += sample.value;
  }
  return sums;
}

bool MetricSamples::has(std::string_view name) const {
  for (const auto& sample : samples_) {
    if (sample.name == name) return true;
  }
  return false;
}

}  // namespace probegate::client
