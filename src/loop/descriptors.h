// How many descriptors this process may have open.
#pragma once

#include <cstdint>

namespace probegate::loop {

std::uint64_t descriptor_limit();
// As many as the system lets us without asking anybody: a default of 1,024 is there for programs that use
// select().
void raise_descriptor_limit();

}  // namespace probegate::loop
