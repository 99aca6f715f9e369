// What a redis check is told to ask, as read from its keys.
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
  std::vector<Endpoint> endpoints;       // the server, nodes of the cluster, or the Sentinels
  std::optional<loop::TlsSettings> tls;  // of the servers with the data
  RedisCredentials login;                // there
  int database = 0;                      // there
  std::string master;                    // its name, for the Sentinels
  std::optional<loop::TlsSettings> sentinel_tls;
  RedisCredentials sentinel_login;
  int min_days_left = 0;
  Duration max_session{};
  bool write = true;
  RedisRole role = RedisRole::any;
  std::string key;  // of this instance: others may check the same server
};

// Also what `plan` must hide and how it names the server. Problems are reported to spec.fields.
RedisSettings read_redis_settings(const config::CheckSpec& spec, CheckPlan& plan);

}  // namespace probegate::checks
