// The limit of open file descriptors.
#pragma once

#include <cstdint>

namespace probegate::loop {

std::uint64_t descriptor_limit();
// Raises the soft limit to the hard limit: the usual default of 1,024 exists for programs that use select().
void raise_descriptor_limit();

}  // namespace probegate::loop
