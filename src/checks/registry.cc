#include "checks/registry.h"

#include <algorithm>

#include "loop/tls_files.h"

namespace probegate::checks {
namespace {

constexpr CheckType kCheckTypes[] = {
    {"grpc", read_grpc},                //
    {"http", read_http},                //
    {"mysql", read_mysql, true},        //
    {"postgres", read_postgres, true},  //
    {"redis", read_redis, true},        //
    {"tcp", read_tcp},                  //
    {"websocket", read_websocket},
};

using Problems = std::vector<std::pair<std::string, std::string>>;

Problems tls_problems(const config::TlsOptions& tls) {
  Problems problems;
  const auto look = [&](const char* key, const std::string& file, const std::optional<std::string>& problem) {
    if (problem) problems.emplace_back(key, file + ": " + *problem);
  };
  if (tls.ca_file) look("ca_file", *tls.ca_file, loop::authorities_problem(*tls.ca_file));
  if (tls.cert_file) look("cert_file", *tls.cert_file, loop::certificate_problem(*tls.cert_file));
  if (tls.key_file) look("key_file", *tls.key_file, loop::key_problem(*tls.key_file));
  if (problems.empty() && tls.cert_file && tls.key_file) {
    look("key_file", *tls.key_file, loop::pair_problem(*tls.cert_file, *tls.key_file));
  }
  return problems;
}

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
  types.tls_problems = tls_problems;
  return types;
}

}  // namespace probegate::checks
