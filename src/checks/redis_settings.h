// The settings of a redis check, read from its keys.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "checks/check.h"
#include "checks/redis_answers.h"
#include "checks/redis_login.h"
#include "loop/tls.h"

namespace probegate::checks {

enum class RedisMode { automatic, single, cluster, sentinel };

struct RedisSettings {
  RedisMode mode = RedisMode::automatic;
  std::vector<Endpoint> endpoints;       // the server, the cluster nodes, or the Sentinels
  std::optional<loop::TlsSettings> tls;  // for the data servers
  RedisCredentials login;                // for the data servers
  int database = 0;                      // on the data servers
  std::string master;                    // name of the master, for the Sentinels
  std::optional<loop::TlsSettings> sentinel_tls;
  RedisCredentials sentinel_login;
  int min_days_left = 0;
  Duration max_session{};
  bool write = true;
  RedisRole role = RedisRole::any;
  std::string key;  // unique for this instance: others may check the same server
};

// Also sets the secrets and the target of `plan`. Problems are reported to spec.fields.
RedisSettings read_redis_settings(const config::CheckSpec& spec, CheckPlan& plan);

}  // namespace probegate::checks
