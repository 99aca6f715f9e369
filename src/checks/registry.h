// The one table of check types. A new type is one file beside this one and one line in registry.cc.
#pragma once

#include <span>
#include <string_view>

#include "checks/check.h"

namespace probegate::checks {

struct CheckType {
  std::string_view name;
  ReadCheck read;
};

std::span<const CheckType> check_types();
const CheckType* find_check_type(std::string_view name);  // null: no such type

}  // namespace probegate::checks
