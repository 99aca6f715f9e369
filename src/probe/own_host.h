// Whether a Host field may name us, for what browsers show. A page of somebody else whose name has been made
// to resolve to this machine (DNS rebinding) could read it otherwise. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace probegate::probe {

// True for names of the loopback, literal addresses and `names` (case ignored), with or without a port, and
// where there is no Host at all: every browser sends one.
bool is_own_host(std::string_view host, std::span<const std::string> names);

}  // namespace probegate::probe
