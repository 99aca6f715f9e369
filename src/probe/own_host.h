// Decides whether a Host field names this process, for content shown by browsers. Without it, a foreign web
// page whose name resolves to this machine (DNS rebinding) could read that content. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace probegate::probe {

// True for loopback names, literal addresses and `names` (case ignored), with or without a port, and for an
// empty Host, because every browser sends one.
bool is_own_host(std::string_view host, std::span<const std::string> names);

}  // namespace probegate::probe
