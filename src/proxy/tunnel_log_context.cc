#include "proxy/tunnel_log_context.h"

#include <cstring>

namespace probegate::proxy {

TunnelLogContext::TunnelLogContext(std::string_view path, std::string_view client,
                                   std::string_view request_id,
                                   const std::optional<proto::TraceContext>& trace) {
  const std::string_view texts[] = {path.substr(0, kLongestText), client.substr(0, kLongestText),
                                    request_id.substr(0, kLongestText)};
  Header header;
  header.traced = trace.has_value();
  std::size_t size = sizeof header + (trace ? sizeof *trace : 0);
  for (std::size_t i = 0; i < std::size(texts); ++i) {
    header.sizes[i] = static_cast<std::uint16_t>(texts[i].size());
    size += texts[i].size();
  }
  block_ = std::make_unique<char[]>(size);
  char* place = block_.get();
  std::memcpy(place, &header, sizeof header);
  place += sizeof header;
  for (const auto text : texts) place += text.copy(place, text.size());
  if (trace) std::memcpy(place, &*trace, sizeof *trace);
}

TunnelLogContext::Header TunnelLogContext::header() const {
  Header header;
  if (block_ != nullptr) std::memcpy(&header, block_.get(), sizeof header);
  return header;
}

std::string_view TunnelLogContext::text(std::size_t index) const {
  if (block_ == nullptr) return {};
  const Header sizes = header();
  const char* place = block_.get() + sizeof sizes;
  for (std::size_t i = 0; i < index; ++i) place += sizes.sizes[i];
  return {place, sizes.sizes[index]};
}

std::optional<proto::TraceContext> TunnelLogContext::trace() const {
  if (!header().traced) return std::nullopt;
  proto::TraceContext trace;
  const auto last = request_id();
  std::memcpy(&trace, last.data() + last.size(), sizeof trace);
  return trace;
}

}  // namespace probegate::proxy
