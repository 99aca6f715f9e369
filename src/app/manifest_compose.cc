#include "app/deployment.h"
#include "app/template_text.h"

namespace probegate::app {
namespace {

constexpr std::int64_t kSpare = 2;  // seconds that the engine waits longer than the drain takes

constexpr std::string_view kCompose =
    R"(# Docker Compose, rendered by probegate @VERSION@ for @SOURCE@. Needs Compose 2.20.
#
#   docker compose -f FILE up        then http://localhost:@PORT@, and http://localhost:@PROBE_PORT@ says why
#
# Secrets are taken from the shell or from .env, and never written here.
name: @NAME@

services:
  gate:
    image: @IMAGE@
    @GATE_ENV@
    @MOUNTS@
    @PORTS@
    # Liveness on purpose: a dependency that is down must not make this container unhealthy. Whoever waits for it, or
    # restarts it, would add an outage of its own.
    healthcheck:
      test: ["CMD", "/usr/bin/probegate", "healthcheck", "live"]
      interval: 10s
      timeout: 3s
      retries: 3
      start_period: 5s
      start_interval: 1s
    stop_grace_period: @GRACE@s   # drain.delay and drain.timeout together are @DRAIN@ s
    restart: unless-stopped
    user: "65532:65532"
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]

  @BACKEND@:
    image: @BACKEND_IMAGE@
    environment:
      PORT: "@BACKEND_PORT@"
      @BACKEND_ENV@
    @NETWORK@
    stop_grace_period: 15s
    restart: unless-stopped
@VOLUMES@
)";

// Compose puts its own variables into values: a dollar is doubled.
std::string literal(const std::string& value) {
  std::string doubled;
  for (const char c : value) doubled += c == '$' ? "$$" : std::string(1, c);
  return quoted_yaml(doubled);
}

std::string entries(const Deployment& deployment, bool secrets_only, const std::string& indent) {
  std::string text;
  for (const auto& entry : deployment.environment) {
    if (entry.value && secrets_only) continue;
    if (!text.empty()) text += "\n";
    text += indent + entry.name + ": ";
    text += entry.value ? literal(*entry.value) : "${" + entry.name + ":?set it in the shell or in .env}";
  }
  return text;
}

// A path without a directory would be the name of a volume.
std::string bind_path(const std::string& path) {
  return path.starts_with('/') || path.starts_with("./") || path.starts_with("../") ? path : "./" + path;
}

std::string mounts(const Deployment& deployment) {
  std::string text;
  if (deployment.config_file) {
    text += "\n  - " + quoted_yaml(bind_path(*deployment.config_file) + ":/etc/probegate/probegate.yaml:ro");
  }
  if (deployment.state_directory) text += "\n  - " + quoted_yaml("state:" + *deployment.state_directory);
  return text.empty() ? "" : "volumes:" + text;
}

std::string ports(const Deployment& deployment) {
  const std::string traffic = std::to_string(deployment.port);
  const std::string probes = std::to_string(deployment.probe_port);
  std::string text = "ports: [\"" + traffic + ":" + traffic + "\"";
  if (deployment.probe_port != 0) text += ", \"127.0.0.1:" + probes + ":" + probes + "\"";
  return text + "]";
}

bool shares_network(const Deployment& deployment) {
  return deployment.backend_host == "localhost" || deployment.backend_host == "::1" ||
         deployment.backend_host.starts_with("127.");
}

}  // namespace

std::string compose_manifest(const Deployment& deployment) {
  const std::string env = entries(deployment, false, "  ");
  const bool shared = shares_network(deployment);
  const std::string order = "depends_on:\n  gate: {condition: service_started, restart: true}";
  return fill(
      kCompose,
      {{"VERSION", deployment.version},
       {"SOURCE", deployment.config_file.value_or("the environment alone")},
       {"NAME", deployment.name},
       {"IMAGE", deployment.image},
       {"PORT", std::to_string(deployment.port)},
       {"PROBE_PORT", std::to_string(deployment.probe_port)},
       {"GATE_ENV", env.empty() ? "" : "environment:\n" + env},
       {"MOUNTS", mounts(deployment)},
       {"PORTS", ports(deployment)},
       {"GRACE", std::to_string(deployment.drain_seconds + kSpare)},
       {"DRAIN", std::to_string(deployment.drain_seconds)},
       {"BACKEND", shared ? "backend" : deployment.backend_host},
       {"BACKEND_IMAGE", deployment.backend_image},
       {"BACKEND_PORT", std::to_string(deployment.backend_port)},
       {"BACKEND_ENV", entries(deployment, true, "")},
       {"NETWORK",
        (shared ? "network_mode: service:gate   # 127.0.0.1 is between the two alone\n" : "") + order},
       {"VOLUMES", deployment.state_directory ? "\nvolumes:\n  state: {}" : ""}});
}

}  // namespace probegate::app
