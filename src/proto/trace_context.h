// Reads the trace of a request from W3C traceparent, or otherwise from Google's X-Cloud-Trace-Context. It is
// only used in log lines; both fields are forwarded unchanged. Pure.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "proto/http_message.h"

namespace probegate::proto {

struct TraceContext {
  std::array<char, 32> trace_id{};  // lower-case hex, never all zeros
  std::array<char, 16> span_id{};   // the caller's, as hex; all zeros if unknown
  bool sampled = false;

  std::string_view trace() const { return {trace_id.data(), trace_id.size()}; }
  std::string_view span() const { return {span_id.data(), span_id.size()}; }
  bool has_span() const { return span().find_first_not_of('0') != std::string_view::npos; }
};

// Empty if there is no field or it is malformed (W3C Trace Context level 1, sections 3.2 and 4.3).
std::optional<TraceContext> trace_context(const HeaderFields& fields);

}  // namespace probegate::proto
