#include "probe/page_parts.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "base/text.h"

namespace probegate::probe {
namespace {

constexpr int kSparkHeight = 24;
constexpr int kSparkStep = 2;
constexpr int kLeastWidth = 4;  // of a visible bar

std::string number(double value, const char* format) {
  char text[40];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

// In thousandths of the whole width.
int permille(Duration d, Duration whole) {
  if (whole <= Duration::zero()) return 0;
  return static_cast<int>(std::lround(std::clamp(to_seconds(d) / to_seconds(whole), 0.0, 1.0) * 1000));
}

std::string rect(const char* css_class, int from, int to) {
  return "<rect class=\"" + std::string(css_class) + "\" x=\"" + std::to_string(from) +
         "\" y=\"1\" width=\"" + std::to_string(std::max(to - from, kLeastWidth)) + "\" height=\"8\"/>";
}

}  // namespace

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string ago(Duration age) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age);
  return seconds.count() < 1 ? "now" : format_duration(seconds) + " ago";
}

std::string millis_text(Duration d) { return number(to_millis(d), "%.1f ms"); }

std::string seconds_text(Duration d) {
  if (d < std::chrono::minutes(1)) return number(std::max(to_seconds(d), 0.0), "%.2f s");
  return format_duration(std::chrono::duration_cast<std::chrono::seconds>(d));
}

std::string sparkline(const std::deque<health::Sample>& samples) {
  if (samples.empty()) return {};
  const auto slower = [](const health::Sample& a, const health::Sample& b) { return a.latency < b.latency; };
  const auto [fastest, slowest] = std::minmax_element(samples.begin(), samples.end(), slower);
  const auto failed = std::count_if(samples.begin(), samples.end(), [](const auto& s) { return s.failed; });

  std::string passes;
  std::string failures;
  const std::size_t empty = health::History::kSamples - samples.size();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const bool fails = samples[i].failed;
    const int height =
        fails ? kSparkHeight
              : std::max(2, permille(samples[i].latency, slowest->latency) * kSparkHeight / 1000);
    (fails ? failures : passes) += "M" + std::to_string((empty + i) * kSparkStep + 1) + " " +
                                   std::to_string(kSparkHeight) + "v-" + std::to_string(height);
  }
  const std::string width = std::to_string(health::History::kSamples * kSparkStep);
  const std::string label = "last " + std::to_string(samples.size()) +
                            " runs: " + millis_text(fastest->latency) + " to " +
                            millis_text(slowest->latency) + ", " + std::to_string(failed) + " failed";
  return "<svg class=\"spark\" role=\"img\" aria-label=\"" + label + "\" viewBox=\"0 0 " + width + " " +
         std::to_string(kSparkHeight) + "\"><title>" + label + "</title><path class=\"pass\" d=\"" + passes +
         "\"/><path class=\"fail\" d=\"" + failures + "\"/></svg><span class=\"dim scale\">up to " +
         millis_text(slowest->latency) + "</span>";
}

std::string waterfall_bar(const Bar& bar) {
  const int begin = permille(bar.begin.value_or(bar.end), bar.whole);
  const int end = permille(bar.end, bar.whole);
  std::string svg =
      "<svg class=\"fall\" aria-hidden=\"true\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\">";
  svg += "<path class=\"wait\" d=\"M0 5h" + std::to_string(begin) + "\"/>";
  if (bar.begin) svg += rect(bar.passed ? "pass" : "open", std::min(begin, 1000 - kLeastWidth), end);
  if (bar.mark) {
    svg += "<path class=\"mark\" d=\"M" + std::to_string(std::min(permille(*bar.mark, bar.whole), 998)) +
           " 0v10\"/>";
  }
  return svg + "</svg>";
}

}  // namespace probegate::probe
