#include "base/template_text.h"
#include "deploy/deployment.h"

namespace probegate::deploy {
namespace {

constexpr std::int64_t kSpare = 2;  // seconds that the engine waits in addition to the drain

constexpr std::string_view kCompose =
    R"(# Docker Compose, rendered by probegate @VERSION@ for @SOURCE@. Needs Compose 2.20.
#
#   docker compose -f FILE up        then http://localhost:@PORT@, and http://localhost:@PROBE_PORT@ says why
#
# Secrets are taken from the shell or from .env, and never written here.
name: @NAME@

services:
  @BACKEND@:
    image: @BACKEND_IMAGE@
    environment:
      PORT: "@BACKEND_PORT@"
      @BACKEND_ENV@
    @BACKEND_PORTS@
    stop_grace_period: 15s
    restart: unless-stopped

  gate:
    image: @IMAGE@
    environment:
      PROBEGATE_PLATFORM: docker   # presets: a dependency that is down at the start is waited for
      @GATE_ENV@
    @MOUNTS@
    @NETWORK@
    # Liveness on purpose: a dependency that is down must not make this container unhealthy. Whoever waits for it, or
    # restarts it, would add an outage of its own.
    healthcheck:
      test: ["CMD", "/usr/bin/probegate", "healthcheck", "live"]
      interval: 10s
      timeout: 3s
      retries: 3
      start_period: 5s
      # start_interval: 1s   # healthy sooner; Docker Engine 25 and later, older ones refuse the file
    stop_grace_period: @GRACE@s   # drain.delay and drain.timeout together are @DRAIN@ s
    restart: unless-stopped
    user: "65532:65532"
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
@VOLUMES@
)";

// Compose expands variables in values, so a dollar sign is doubled.
std::string literal(const std::string& value) {
  std::string doubled;
  for (const char c : value) doubled += c == '$' ? "$$" : std::string(1, c);
  return quoted_yaml(doubled);
}

std::string entries(const Deployment& deployment, bool secrets_only, const std::string& indent) {
  std::string text;
  for (const auto& entry : deployment.environment) {
    if (secrets_only && !is_for_backend(entry)) continue;
    if (!text.empty()) text += "\n";
    text += indent + entry.name + ": ";
    text += entry.value ? literal(*entry.value) : "${" + entry.name + ":?set it in the shell or in .env}";
  }
  return text;
}

// A path without a directory would be taken for a volume name.
std::string bind_path(const std::string& path) {
  return path.starts_with('/') || path.starts_with("./") || path.starts_with("../") ? path : "./" + path;
}

// Mounts the folder if it contains only this file, so that a file replaced by an editor is seen; a mount of
// the file itself keeps the old one.
std::string config_mount(const std::string& file) {
  constexpr std::string_view kName = "/probegate.yaml";
  const auto path = bind_path(file);
  const bool folder = path.ends_with(kName) && path.size() > std::string_view("./probegate.yaml").size();
  if (folder) return quoted_yaml(path.substr(0, path.size() - kName.size()) + ":/etc/probegate:ro");
  return quoted_yaml(path + ":/etc/probegate/probegate.yaml:ro") +
         "   # a replaced file is seen after a restart; mount its own folder to see it at once";
}

std::string mounts(const Deployment& deployment) {
  std::string text;
  if (deployment.config_file) text += "\n  - " + config_mount(*deployment.config_file);
  if (deployment.state_directory) {
    text += "\n  - " + quoted_yaml("state:" + *deployment.state_directory) +
            "   # a new volume gets the owner of the image's folder, 65532";
  }
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
  const bool shared = shares_network(deployment);
  const std::string backend = shared ? "backend" : deployment.backend_host;
  // In both cases the gate depends on the backend, so it is stopped first and drains while the
  // backend still runs.
  const std::string order = "depends_on:\n  " + backend + ": {condition: service_started, restart: true}";
  const std::string open =
      "# The gate's ports: it has no network of its own, so it can be restarted alone. Networks and aliases "
      "belong\n"
      "# here too, and other services call " +
      backend + ":" + std::to_string(deployment.port) + ".\n" + ports(deployment);
  const std::string inside =
      "# In the backend's network, where only these two share 127.0.0.1. When the backend's container "
      "itself is\n"
      "# restarted by the engine, its network is a new one: restart the gate too (docker compose restart "
      "gate).\n"
      "network_mode: service:" +
      backend + "\n";
  return fill_template(
      kCompose,
      {{"VERSION", deployment.version},
       {"SOURCE", deployment.config_file.value_or("the environment alone")},
       {"NAME", deployment.name},
       {"IMAGE", deployment.image},
       {"PORT", std::to_string(deployment.port)},
       {"PROBE_PORT", std::to_string(deployment.probe_port)},
       {"GATE_ENV", entries(deployment, false, "")},
       {"MOUNTS", mounts(deployment)},
       {"NETWORK", (shared ? inside : ports(deployment) + "\n") + order},
       {"GRACE", std::to_string(deployment.drain_seconds + kSpare)},
       {"DRAIN", std::to_string(deployment.drain_seconds)},
       {"BACKEND", backend},
       {"BACKEND_IMAGE", deployment.backend_image},
       {"BACKEND_PORT", std::to_string(deployment.backend_port)},
       {"BACKEND_ENV",
        (shared
             ? "HOST: 127.0.0.1   # if the backend's framework reads it, traffic must pass through the gate\n"
             : std::string()) +
            entries(deployment, true, "")},
       {"BACKEND_PORTS", shared ? open : ""},
       {"VOLUMES", deployment.state_directory ? "\nvolumes:\n  state: {}" : ""}});
}

}  // namespace probegate::deploy
