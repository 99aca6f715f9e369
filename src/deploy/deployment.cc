#include "deploy/deployment.h"

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "base/version.h"
#include "config/secrets.h"
#include "deploy/places.h"

namespace probegate::deploy {
namespace {

using namespace std::chrono_literals;
using config::Platform;

constexpr Duration kCloudRunStartup = 240s;    // the documented limit of a startup probe
constexpr Duration kCloudRunKill = 10s;        // from SIGTERM to SIGKILL
constexpr Duration kCloudRunRequest = 1h;      // longest request, and so longest lifetime of a WebSocket
constexpr std::uint64_t kCloudRunMost = 1000;  // maximum of requests per instance
constexpr std::uint64_t kCloudRunUsual = 500;
constexpr const char* kStateDirectory = "/var/lib/probegate";  // exists in the image and belongs to its user
constexpr Duration kFlushTimeout = 20s;  // after gate.startup_timeout, so that the failed checks are logged

std::int64_t whole_seconds(Duration duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration).count();
}

bool is_wildcard(const Endpoint& endpoint) {
  return !endpoint.is_unix() && (endpoint.host == "0.0.0.0" || endpoint.host == "::" || endpoint.host == "*");
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

const Endpoint* find_open(const std::vector<Endpoint>& endpoints) {
  const auto found = std::find_if(endpoints.begin(), endpoints.end(), is_wildcard);
  return found == endpoints.end() ? nullptr : &*found;
}

class Planner {
 public:
  Planner(Platform target, const config::Config& config, const std::vector<std::string>& check_texts)
      : target_(target), config_(config), check_texts_(check_texts) {}

  Deployment plan(const Names& names) {
    out_.name = names.service;
    const bool cloud_run = target_ == Platform::cloud_run;
    const std::string registry = cloud_run ? "REGION-docker.pkg.dev/PROJECT/" + out_.name + "/"
                                 : target_ == Platform::kubernetes ? "REGISTRY/" + out_.name + "/"
                                                                   : "";
    out_.image = names.image.value_or(registry + "probegate:" + kVersion);
    out_.backend_image = names.backend_image.value_or(registry + "backend:latest");
    plan_ports();
    plan_backend();
    plan_times();
    plan_liveness();
    if (config_.state_file) plan_state(*config_.state_file);
    if (cloud_run) plan_cloud_run();
    out_.autoscaled = names.autoscaled;
    return std::move(out_);
  }

 private:
  void contradiction(const std::string& text) { out_.contradictions.push_back(text); }
  void warn(const std::string& text) { out_.warnings.push_back(text); }

  const char* who() const {
    switch (target_) {
      case Platform::cloud_run: return "Cloud Run";
      case Platform::kubernetes: return "Kubernetes";
      default: return "Compose";
    }
  }

  void plan_ports() {
    const auto* traffic = find_open(config_.proxy.listen);
    if (config_.proxy.listen.empty()) {
      contradiction(
          "proxy.listen: an empty list means no proxy, but the manifest needs one; write "
          "0.0.0.0:8080");
    } else if (traffic != nullptr) {
      out_.port = traffic->port;
    } else {
      contradiction("proxy.listen: " + config_.proxy.listen.front().to_string() + " cannot be reached by " +
                    who() + ", whose traffic comes from outside the container; write 0.0.0.0:8080");
    }
    const auto* probes = find_open(config_.probes.listen);
    const auto& first = config_.probes.listen.front();
    if (probes != nullptr) {
      out_.probe_port = probes->port;
    } else if (target_ != Platform::docker) {  // on Docker, `healthcheck` runs inside the container
      contradiction("probes.listen: " + first.to_string() + " cannot be reached by the probes of " + who() +
                    "; write 0.0.0.0:9090");
    } else if (!first.is_unix()) {
      out_.probe_port = first.port;
    }
  }

  void plan_backend() {
    const auto& backend = config_.proxy.backend.endpoint;
    if (backend.is_unix()) {
      contradiction(
          "proxy.backend: " + backend.to_string() +
          " needs a volume that both containers share, which is not rendered; write http://127.0.0.1:8000");
    } else if (target_ != Platform::docker && !is_loopback(backend.host)) {
      contradiction("proxy.backend: " + backend.host +
                    " is another host, but the containers share one network here; write http://127.0.0.1:" +
                    std::to_string(backend.port));
    }
    if (!backend.is_unix() && (backend.port == out_.port || backend.port == out_.probe_port) &&
        is_loopback(backend.host)) {
      contradiction(
          "proxy.backend: port " + std::to_string(backend.port) +
          " is used by the gate, and the containers share one network; give the backend another port");
    }
    out_.backend_host = backend.host;
    out_.backend_port = backend.port;
  }

  void plan_times() {
    const Duration startup = config_.gate.startup_timeout;
    const Duration drain = config_.drain.delay + config_.drain.timeout;
    out_.startup_seconds = whole_seconds(startup);
    out_.drain_seconds = whole_seconds(drain);
    if (target_ != Platform::cloud_run) return;
    out_.startup_patience = whole_seconds(std::min(kCloudRunStartup, startup + kFlushTimeout));
    if (startup == Duration::zero() || startup > kCloudRunStartup) {
      contradiction("gate.startup_timeout: " +
                    (startup == Duration::zero() ? "0s waits forever" : format_duration(startup)) +
                    ", but Cloud Run's startup probe waits at most 240s; write 220s or less");
    }
    if (drain >= kCloudRunKill) {
      contradiction("drain.timeout: with drain.delay it is " + format_duration(drain) +
                    ", but Cloud Run kills 10s after SIGTERM; they must stay below 10s");
    }
    const Duration lifetime = config_.proxy.websocket.max_lifetime;
    if (lifetime >= kCloudRunRequest) {
      contradiction("proxy.websocket.max_lifetime: " + format_duration(lifetime) +
                    ", but Cloud Run ends every request after at most 1h; write 59m, or 0 for no limit");
    }
    if (lifetime == Duration::zero()) {
      warn(
          "proxy.websocket.max_lifetime: 0, so Cloud Run ends every WebSocket after 1h without a Close "
          "frame; "
          "write 59m");
    }
  }

  // On Cloud Run the startup probe ends an instance that does not start, regardless of liveness.
  void plan_liveness() {
    const auto policy = config_.gate.on_startup_timeout;
    const auto startup = config_.gate.startup_timeout;
    const bool depends = std::any_of(config_.checks.begin(), config_.checks.end(),
                                     [](const config::CheckSpec& check) { return check.startup; });
    if (target_ == Platform::cloud_run || policy == StartupTimeoutPolicy::wait ||
        startup == Duration::zero() || !depends)
      return;
    warn(std::string("gate.on_startup_timeout: ") +
         (policy == StartupTimeoutPolicy::fail ? "fail, so liveness fails" : "exit, so the gate ends") +
         " when a dependency is down for " + format_duration(startup) + " at the start, and " +
         (target_ == Platform::docker ? "the container is unhealthy or restarted"
                                      : "Kubernetes restarts the gate repeatedly") +
         ", which does not repair the dependency; write wait");
  }

  void plan_state(const std::string& file) {
    const auto slash = file.rfind('/');
    out_.state_directory = slash == std::string::npos || slash == 0 ? "/" : file.substr(0, slash);
    if (target_ == Platform::cloud_run) {
      warn("state_file: " + file +
           " needs a volume that outlives the instance, such as a mounted bucket, which is not rendered");
      out_.state_directory.reset();
    } else if (target_ == Platform::docker && *out_.state_directory != kStateDirectory) {
      contradiction("state_file: a new volume at " + *out_.state_directory +
                    " belongs to root, and the gate runs as 65532; write " + kStateDirectory +
                    "/state.json, which exists in the image");
    }
  }

  void plan_cloud_run() {
    const auto connections = config_.proxy.limits.connections;
    const bool usual = connections == 0 || connections == config::ProxyLimits{}.connections;
    out_.concurrency = usual ? kCloudRunUsual : std::min(connections, kCloudRunMost);
    for (const auto& text : check_texts_) {
      const auto decoded = decoded_text(text);
      add_new(out_.cloud_sql, cloud_sql_instances(decoded));
      add_new(out_.private_hosts, private_hosts(decoded));
    }
  }

  static void add_new(std::vector<std::string>& all, std::vector<std::string> more) {
    for (auto& one : more) {
      if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(std::move(one));
    }
  }

  const Platform target_;
  const config::Config& config_;
  const std::vector<std::string>& check_texts_;
  Deployment out_;
};

// On Cloud Run the platform sets PORT of the ingress container, and rejects a manifest that sets it.
bool set_by_platform(const std::string& name, Platform target) {
  if (target == Platform::docker) return name == "PROBEGATE_PLATFORM";  // set in the manifest
  return target == Platform::cloud_run && (name == "PORT" || name.starts_with("K_"));
}

}  // namespace

Deployment plan_deployment(Platform target, const config::Config& config,
                           const std::vector<std::string>& check_texts, const Names& names) {
  return Planner(target, config, check_texts).plan(names);
}

std::vector<EnvironmentEntry> file_environment(const std::vector<config::Variable>& variables,
                                               Platform target) {
  std::vector<EnvironmentEntry> entries;
  for (const auto& variable : variables) {
    if (!variable.required || set_by_platform(variable.name, target)) continue;
    EnvironmentEntry entry{variable.name, std::nullopt};
    if (variable.name == "PORT") entry.value = "8080";
    if (variable.name == "PROBE_PORT") entry.value = "9090";
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<EnvironmentEntry> plain_environment(const config::Environment& environment, Platform target) {
  constexpr const char* kSecret[] = {"DATABASE_URL",   "POSTGRES_URL", "PGPASSWORD",
                                     "DB_PASSWORD",    "DB_PASS",      "REDIS_URL",
                                     "REDIS_PASSWORD", "REDIS_PASS",   "AUTH_HEALTH_URL"};
  constexpr const char* kPlain[] = {
      "PORT",           "PROBE_PORT",     "BACKEND_URL",   "DATABASE_TABLES", "DATABASE_URL_FILE",
      "PGHOST",         "PGPORT",         "PGUSER",        "PGDATABASE",      "PGSSLMODE",
      "PGSSLROOTCERT",  "PGOPTIONS",      "DB_CONNECTION", "DB_HOST",         "DB_PORT",
      "DB_USER",        "DB_USERNAME",    "DB_NAME",       "DB_DATABASE",     "DB_PASSWORD_FILE",
      "REDIS_URL_FILE", "REDIS_HOST",     "REDIS_PORT",    "REDIS_USERNAME",  "REDIS_USER",
      "REDIS_DB",       "REDIS_DATABASE", "REDIS_TLS",     "REDIS_SSL",       "REDIS_PASSWORD_FILE",
      "WEBSOCKET_PATH", "LOG_LEVEL"};
  std::vector<EnvironmentEntry> entries;
  for (const auto* name : kPlain) {
    const auto found = environment.find(name);
    if (found == environment.end() || set_by_platform(name, target)) continue;
    const bool looks_like_url =
        found->second.find("://") != std::string::npos || found->second.starts_with('/');
    const bool shown = !looks_like_url || config::hide_in_url(found->second) == found->second;
    entries.push_back({name, shown ? std::optional(found->second) : std::nullopt});
  }
  for (const auto* name : kSecret) {
    if (environment.contains(name)) entries.push_back({name, std::nullopt});
  }
  return entries;
}

}  // namespace probegate::deploy
