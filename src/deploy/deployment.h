// Deployment: what a manifest must say so that its probes, ports and times fit a configuration. Pure.
//
// A configuration that the platform would break (a start-up longer than its probes wait, a drain longer than
// it waits before it kills) is a contradiction: a message that names the key and the remedy, and no manifest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/environment.h"
namespace probegate::deploy {

struct Names {  // of what is deployed
  std::string service = "app";
  std::optional<std::string> image;  // of probegate; empty: a placeholder in the platform's form
  std::optional<std::string> backend_image;
  bool autoscaled = false;  // kubernetes: somebody else sets the number of replicas
};

struct EnvironmentEntry {
  std::string name;
  std::optional<std::string> value;  // empty: from a secret of that name; a secret's value is never rendered
};

// The backend gets the same secrets; PORT and HOST are its own.
inline bool is_for_backend(const EnvironmentEntry& entry) {
  return !entry.value && entry.name != "PORT" && entry.name != "HOST";
}

struct Deployment {
  std::string version;  // of probegate
  std::string name;
  std::string image;
  std::string backend_image;
  std::optional<std::string> config_file;  // empty: the environment alone
  std::vector<EnvironmentEntry> environment;
  std::uint16_t port = 0;        // of the traffic
  std::uint16_t probe_port = 0;  // 0: a unix socket
  std::string backend_host;
  std::uint16_t backend_port = 0;
  std::int64_t startup_seconds = 0;   // gate.startup_timeout, rounded up; 0 = for ever
  std::int64_t drain_seconds = 0;     // drain.delay and drain.timeout, rounded up
  std::int64_t startup_patience = 0;  // Cloud Run: what the startup probe allows
  std::optional<std::string> state_directory;
  bool autoscaled = false;
  std::uint64_t concurrency = 0;            // Cloud Run: requests, and so sockets, of one instance
  std::vector<std::string> cloud_sql;       // instances whose sockets are below /cloudsql/
  std::vector<std::string> private_hosts;   // of checks, reached through a VPC alone
  std::string checksum;                     // of the configuration file; empty: none
  std::vector<std::string> contradictions;  // "key: what is wrong; the remedy"
  std::vector<std::string> warnings;        // the same, of what is rendered all the same
};

// `check_texts`: the values of the checks, to find addresses in; see config::Loaded.
Deployment plan_deployment(config::Platform target, const config::Config& config,
                           const std::vector<std::string>& check_texts, const Names& names);

// What the gate's container gets in its environment: with a file what its values name, otherwise every
// variable that the configuration was made of. `secret` values are referred to, never repeated.
std::vector<EnvironmentEntry> file_environment(const std::vector<config::Variable>& variables,
                                               config::Platform target);
std::vector<EnvironmentEntry> plain_environment(const config::Environment& environment,
                                                config::Platform target);

std::string cloud_run_manifest(const Deployment& deployment);
std::string compose_manifest(const Deployment& deployment);
std::string kubernetes_manifest(const Deployment& deployment);

}  // namespace probegate::deploy
