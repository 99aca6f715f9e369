// TunnelLogContext: what a tunnel keeps of its request for the log line at its end.
//
// Owns: one block of memory of exactly the needed size, or none, because there may be thousands of tunnels. A
// value; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "proto/trace_context.h"

namespace probegate::proxy {

class TunnelLogContext {
 public:
  static constexpr std::size_t kLongestText = 256;  // per text; longer texts are cut

  TunnelLogContext() = default;  // empty
  TunnelLogContext(std::string_view path, std::string_view client, std::string_view request_id,
                   const std::optional<proto::TraceContext>& trace);

  bool empty() const { return block_ == nullptr; }
  std::string_view path() const { return text(0); }
  std::string_view client() const { return text(1); }
  std::string_view request_id() const { return text(2); }
  std::optional<proto::TraceContext> trace() const;

 private:
  struct Header {
    std::uint16_t sizes[3] = {};
    bool traced = false;
  };
  Header header() const;
  std::string_view text(std::size_t index) const;

  std::unique_ptr<char[]> block_;  // Header, the three texts, the trace
};

}  // namespace probegate::proxy
