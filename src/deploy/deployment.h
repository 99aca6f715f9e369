// Deployment: the values of a manifest whose probes, ports and times fit a configuration. Pure.
//
// A configuration that cannot work on the platform (a startup longer than its probes wait, a drain longer
// than its grace period) is a contradiction: a message with the key and the remedy, and no manifest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/environment.h"
namespace probegate::deploy {

struct Names {  // names of the deployed objects
  std::string service = "app";
  std::optional<std::string> image;  // image of probegate; empty: a placeholder
  std::optional<std::string> backend_image;
  bool autoscaled = false;  // kubernetes: an autoscaler sets the number of replicas
};

struct EnvironmentEntry {
  std::string name;
  std::optional<std::string>
      value;  // empty: from a secret with that name; values of secrets are never rendered
};

// The backend gets the same secrets, but its own PORT and HOST.
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
  std::uint16_t port = 0;        // for traffic
  std::uint16_t probe_port = 0;  // 0: a unix socket
  std::string backend_host;
  std::uint16_t backend_port = 0;
  std::int64_t startup_seconds = 0;   // gate.startup_timeout, rounded up; 0 = forever
  std::int64_t drain_seconds = 0;     // drain.delay and drain.timeout, rounded up
  std::int64_t startup_patience = 0;  // Cloud Run: limit of the startup probe
  std::optional<std::string> state_directory;
  bool autoscaled = false;
  std::uint64_t concurrency = 0;            // Cloud Run: requests, including WebSockets, per instance
  std::vector<std::string> cloud_sql;       // instances whose sockets are below /cloudsql/
  std::vector<std::string> private_hosts;   // of checks, reachable only through a VPC
  std::string checksum;                     // of the configuration file; empty: none
  std::vector<std::string> contradictions;  // "key: what is wrong; the remedy"
  std::vector<std::string> warnings;        // in the same form; the manifest is rendered anyway
};

// `check_texts`: the values of the checks, which are searched for addresses; see config::Loaded.
Deployment plan_deployment(config::Platform target, const config::Config& config,
                           const std::vector<std::string>& check_texts, const Names& names);

// The environment of the gate's container: the variables that the file references, or without a file all
// variables of the configuration. Secrets are referenced, never copied.
std::vector<EnvironmentEntry> file_environment(const std::vector<config::Variable>& variables,
                                               config::Platform target);
std::vector<EnvironmentEntry> plain_environment(const config::Environment& environment,
                                                config::Platform target);

std::string cloud_run_manifest(const Deployment& deployment);
std::string compose_manifest(const Deployment& deployment);
std::string kubernetes_manifest(const Deployment& deployment);

}  // namespace probegate::deploy
