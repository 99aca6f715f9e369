#include "checks/registry.h"

#include <algorithm>

namespace probegate::checks {
namespace {

constexpr CheckType kCheckTypes[] = {
    {"grpc", read_grpc},          //
    {"http", read_http},          //
    {"mysql", read_mysql},        //
    {"postgres", read_postgres},  //
    {"redis", read_redis},        //
    {"tcp", read_tcp},            //
    {"websocket", read_websocket},
};

}  // namespace

std::span<const CheckType> check_types() { return kCheckTypes; }

const CheckType* find_check_type(std::string_view name) {
  const auto found = std::find_if(std::begin(kCheckTypes), std::end(kCheckTypes),
                                  [&](const CheckType& type) { return type.name == name; });
  return found == std::end(kCheckTypes) ? nullptr : found;
}

bool is_built_in(std::string_view type) { return type != "mysql" || has_mysql(); }

config::CheckTypes config_check_types() {
  config::CheckTypes types;
  for (const auto& type : kCheckTypes) types.names.emplace_back(type.name);
  types.read = [](config::CheckSpec& spec, const config::Config& config) {
    if (const auto* type = find_check_type(spec.type)) type->read(spec, config);
  };
  return types;
}

}  // namespace probegate::checks
