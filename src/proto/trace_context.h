// The trace that a request is part of: W3C traceparent, or Google's X-Cloud-Trace-Context where there is
// none. Read only, to name it in log lines; both fields pass to the backend as they came. Pure.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "proto/http_message.h"

namespace probegate::proto {

struct TraceContext {
  std::array<char, 32> trace_id{};  // lower-case hex, never all zeros
  std::array<char, 16> span_id{};   // the caller's, as hex; all zeros where it is not known
  bool sampled = false;

  std::string_view trace() const { return {trace_id.data(), trace_id.size()}; }
  std::string_view span() const { return {span_id.data(), span_id.size()}; }
  bool has_span() const { return span().find_first_not_of('0') != std::string_view::npos; }
};

// Nothing where no field is there or its form is wrong (W3C Trace Context level 1, sections 3.2 and 4.3).
std::optional<TraceContext> trace_context(const HeaderFields& fields);

}  // namespace probegate::proto
