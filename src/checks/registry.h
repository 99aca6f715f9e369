// The table of check types. A new type needs one file in this folder and two lines: its reader here, its row
// in registry.cc. Other places that name a type are listed in docs/adding-a-check.md.
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
  bool logs_in = false;  // uses an account that too many refused logins could lock
};

std::span<const CheckType> check_types();
const CheckType* find_check_type(std::string_view name);  // null: no such type
bool is_built_in(std::string_view type);                  // false: known, but left out of this build
bool has_mysql();

// The table in the form that config::load() needs.
config::CheckTypes config_check_types();

}  // namespace probegate::checks
