// The one table of check types. A new type is one file beside this one and two lines: its reader here, its
// row in registry.cc. What else names a type is listed in docs/adding-a-check.md.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "checks/check.h"
#include "config/load.h"

namespace probegate::checks {

CheckPlan read_grpc(const config::CheckSpec& spec, const config::Config& config);
CheckPlan read_http(const config::CheckSpec& spec, const config::Config& config);
CheckPlan read_mysql(const config::CheckSpec& spec, const config::Config& config);
CheckPlan read_postgres(const config::CheckSpec& spec, const config::Config& config);
CheckPlan read_redis(const config::CheckSpec& spec, const config::Config& config);
CheckPlan read_tcp(const config::CheckSpec& spec, const config::Config& config);
CheckPlan read_websocket(const config::CheckSpec& spec, const config::Config& config);

struct CheckType {
  std::string_view name;
  ReadCheck read;
  bool logs_in = false;  // with an account that too many refused logins could lock
};

std::span<const CheckType> check_types();
const CheckType* find_check_type(std::string_view name);  // null: no such type
bool is_built_in(std::string_view type);                  // false: known, but left out of this build
bool has_mysql();

// The table as config::load() wants it.
config::CheckTypes config_check_types();

}  // namespace probegate::checks
