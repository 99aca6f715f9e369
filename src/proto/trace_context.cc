#include "proto/trace_context.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"

namespace probegate::proto {
namespace {

constexpr char kHex[] = "0123456789abcdef";

bool is_hex(std::string_view text) { return text.find_first_not_of(kHex) == std::string_view::npos; }
bool is_zero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

// VERSION "-" TRACE-ID "-" PARENT-ID "-" FLAGS; later versions may add more after another "-".
std::optional<TraceContext> of_traceparent(std::string_view value) {
  constexpr std::size_t kSize = 2 + 1 + 32 + 1 + 16 + 1 + 2;
  if (value.size() < kSize || value[2] != '-' || value[35] != '-' || value[52] != '-') return std::nullopt;
  const auto version = value.substr(0, 2), trace = value.substr(3, 32), span = value.substr(36, 16),
             flags = value.substr(53, 2);
  if (!is_hex(version) || !is_hex(trace) || !is_hex(span) || !is_hex(flags)) return std::nullopt;
  if (version == "ff" || is_zero(trace) || is_zero(span)) return std::nullopt;
  const bool has_more = value.size() > kSize;
  if (has_more && (version == "00" || value[kSize] != '-')) return std::nullopt;

  TraceContext context;
  std::copy(trace.begin(), trace.end(), context.trace_id.begin());
  std::copy(span.begin(), span.end(), context.span_id.begin());
  context.sampled = (std::string_view(kHex).find(flags[1]) & 1) != 0;
  return context;
}

// TRACE-ID ["/" decimal SPAN-ID] [";o=" OPTIONS]
std::optional<TraceContext> of_cloud_trace(std::string_view value) {
  const auto trace = to_lower(value.substr(0, 32));
  if (trace.size() != 32 || !is_hex(trace) || is_zero(trace)) return std::nullopt;
  TraceContext context;
  std::copy(trace.begin(), trace.end(), context.trace_id.begin());
  context.span_id.fill('0');
  std::string_view rest = value.substr(32);
  const auto options = rest.find(";o=");
  if (options != std::string_view::npos) {
    context.sampled = (parse_decimal<unsigned>(rest.substr(options + 3)).value_or(0) & 1) != 0;
    rest = rest.substr(0, options);
  }
  if (rest.empty()) return context;
  if (rest.front() != '/') return std::nullopt;
  auto number = parse_decimal<std::uint64_t>(rest.substr(1)).value_or(0);
  for (auto digit = context.span_id.rbegin(); number != 0; number >>= 4) *digit++ = kHex[number & 15];
  return context;
}

}  // namespace

std::optional<TraceContext> trace_context(const HeaderFields& fields) {
  if (fields.count("traceparent") == 1) {
    if (auto context = of_traceparent(fields.get("traceparent"))) return context;
  }
  return of_cloud_trace(fields.get("x-cloud-trace-context"));
}

}  // namespace probegate::proto
