#include "config/read_config.h"

#include <algorithm>

#include "base/text.h"
#include "config/describe.h"
#include "config/own_addresses.h"
#include "config/scalars.h"

namespace probegate::config {
namespace {

// Defaults that depend on the platform.
struct Preset {
  Platform platform;
  std::string_view name;
  Duration drain_delay;
  Duration drain_timeout;
  bool json_log;
  // On platforms that restart an unhealthy gate the default is `wait`: a restart does not repair a
  // dependency, and the back-off of a restart loop would outlast the outage.
  StartupTimeoutPolicy on_startup_timeout;
};

constexpr Preset kPresets[] = {
    // SIGKILL follows 10 s after SIGTERM; an instance that fails to start is replaced.
    {Platform::cloud_run, "cloud-run", 0s, 8s, true, StartupTimeoutPolicy::fail},
    // It takes seconds until a Pod is removed from all endpoints; the grace period is 30 s.
    {Platform::kubernetes, "kubernetes", 5s, 25s, true, StartupTimeoutPolicy::wait},
    // docker stop waits 10 s.
    {Platform::docker, "docker", 0s, 8s, true, StartupTimeoutPolicy::wait},
    {Platform::none, "none", 0s, 8s, false, StartupTimeoutPolicy::fail},
};
constexpr Duration kCloudRunStop = 10s;

std::string_view variable(const Environment& environment, std::string_view name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string_view() : found->second;
}

constexpr std::string_view kPlatformVariable = "PROBEGATE_PLATFORM";  // Docker cannot be detected

Platform detect_platform(const Fields& root, const Environment& environment) {
  if (const auto word = variable(environment, kPlatformVariable); !word.empty()) {
    const auto named = std::find_if(std::begin(kPresets), std::end(kPresets),
                                    [&](const Preset& preset) { return preset.name == word; });
    if (named != std::end(kPresets)) return named->platform;
    root.problems().add_variable(kPlatformVariable,
                                 "must be one of cloud-run, kubernetes, docker, none, not " + quote(word));
  }
  if (!variable(environment, "K_SERVICE").empty()) return Platform::cloud_run;
  if (!variable(environment, "KUBERNETES_SERVICE_HOST").empty()) return Platform::kubernetes;
  return Platform::none;
}

const Preset& read_platform(const Fields& root, const Environment& environment) {
  const auto word = root.choice("platform", "auto", {"auto", "cloud-run", "kubernetes", "docker", "none"});
  const auto detected = word == "auto" ? detect_platform(root, environment) : Platform::none;
  const auto& preset = *std::find_if(std::begin(kPresets), std::end(kPresets), [&](const Preset& candidate) {
    return word == "auto" ? candidate.platform == detected : candidate.name == word;
  });
  root.show("platform", preset.name);
  return preset;
}

Probes read_probes(const Fields& probes) {
  Probes value;
  value.listen = probes.endpoints("listen", "0.0.0.0:9090", Fields::Least::one);
  value.summary = probes.choice("details", false, {{"full", false}, {"summary", true}});
  value.hosts = probes.text_list("hosts", {});
  for (std::size_t i = 0; i < value.hosts.size(); ++i) {
    if (value.hosts[i].find_first_of(":/ ") == std::string::npos && !value.hosts[i].empty()) continue;
    probes.item_problem("hosts", i,
                        quote(value.hosts[i]) + " is not a host name; write it without scheme and port");
  }
  return value;
}

GateOptions read_gate(const Fields& gate, const Preset& preset) {
  using enum StartupTimeoutPolicy;
  GateOptions value;
  value.startup_timeout = gate.duration("startup_timeout", value.startup_timeout);
  value.on_startup_timeout = gate.choice("on_startup_timeout", preset.on_startup_timeout,
                                         {{"fail", fail}, {"exit", exit}, {"wait", wait}});
  return value;
}

// RFC 6455 section 7.4: the codes allowed in a Close frame; 1005, 1006 and 1015 are never sent, 1016 to
// 2999 are reserved.
bool sendable_close_code(int code) {
  if (code >= 1000 && code <= 1014) return code != 1004 && code != 1005 && code != 1006;
  return code >= 3000 && code <= 4999;
}

constexpr std::size_t kLongestNotice = 1024;

Drain read_drain(const Fields& drain, const Preset& preset) {
  Drain value;
  value.delay = drain.duration("delay", preset.drain_delay);
  value.timeout = drain.duration("timeout", preset.drain_timeout, 1ms);
  value.close_code = static_cast<int>(drain.integer("close_code", value.close_code, 1000, 4999));
  if (!sendable_close_code(value.close_code)) {
    drain.problem(
        "close_code",
        std::to_string(value.close_code) +
            " cannot be sent in a Close frame; allowed are 1000 to 1003, 1007 to 1014 and 3000 to 4999");
  }
  value.wait_for_tunnels = drain.choice("tunnels", false, {{"close", false}, {"wait", true}});
  value.notice = drain.optional_text("notice");
  if (value.notice && value.notice->size() > kLongestNotice) {
    drain.problem("notice", "is longer than " + std::to_string(kLongestNotice) +
                                " bytes; write a shorter text, as every client gets it");
  }
  if (preset.platform == Platform::cloud_run && value.delay + value.timeout >= kCloudRunStop) {
    drain.contradiction(drain.has("timeout") ? "timeout" : "delay",
                        "delay and timeout together are " + format_duration(value.delay + value.timeout) +
                            ", but Cloud Run kills 10s after SIGTERM; they must stay below 10s");
  }
  return value;
}

LogOptions read_log(const Fields& log, const Preset& preset, const Environment& environment) {
  LogOptions value;
  value.level = log.choice("level", value.level,
                           {{"debug", LogLevel::debug},
                            {"info", LogLevel::info},
                            {"warn", LogLevel::warn},
                            {"error", LogLevel::error}});
  const auto format = log.choice("format", preset.json_log ? "json" : "auto", {"auto", "text", "json"});
  if (format == "text") value.format = LogFormat::text;
  if (format == "json") value.format = LogFormat::json;
  value.access = log.choice(
      "access", value.access,
      {{"all", AccessLines::all}, {"failures", AccessLines::failures}, {"none", AccessLines::none}});
  value.project = log.text("project", variable(environment, "GOOGLE_CLOUD_PROJECT"));
  return value;
}

bool same_address(const Endpoint& a, const Endpoint& b) {
  if (a == b) return a.is_unix() || a.port != 0;
  const auto covers = [](const Endpoint& x, const Endpoint& y) {
    return x.host == "0.0.0.0" && y.host.find(':') == std::string::npos;
  };
  return !a.is_unix() && !b.is_unix() && a.port == b.port && a.port != 0 && (covers(a, b) || covers(b, a));
}

void refuse_shared_addresses(const Fields& root, const Config& config) {
  struct Place {
    Fields section;
    std::string_view name;
    std::size_t item;
    const Endpoint* endpoint;
  };
  const Fields proxy = root.section("proxy");
  const Fields probes = root.section("probes");
  std::vector<Place> places;
  for (std::size_t i = 0; i < config.proxy.listen.size(); ++i) {
    places.push_back({proxy, "proxy.listen", i, &config.proxy.listen[i]});
  }
  for (std::size_t i = 0; i < config.probes.listen.size(); ++i) {
    places.push_back({probes, "probes.listen", i, &config.probes.listen[i]});
  }
  for (auto later = places.begin(); later != places.end(); ++later) {
    const auto earlier = std::find_if(places.begin(), later, [&](const Place& place) {
      return same_address(*place.endpoint, *later->endpoint);
    });
    if (earlier == later) continue;
    later->section.item_problem("listen", later->item,
                                later->endpoint->to_string() + " is already used by " +
                                    std::string(earlier->name) + " (" + earlier->endpoint->to_string() +
                                    "); each address can be used only once");
  }
}

void refuse_own_backend(const Fields& root, const Config& config, Purpose purpose) {
  const auto& backend = config.proxy.backend.endpoint;
  const auto own = std::find_if(config.proxy.listen.begin(), config.proxy.listen.end(),
                                [&](const Endpoint& listen) { return leads_to(backend, listen, purpose); });
  if (own == config.proxy.listen.end()) return;
  const Fields proxy = root.section("proxy");
  std::string remedy = "; give the backend another port";
  if (backend.is_unix()) remedy = "; give the backend another socket";
  if (proxy.from_variable("listen") == "PORT")
    remedy += ": PORT is the port of the gate, BACKEND_URL the address of the backend";
  proxy.problem("backend",
                backend.to_string() + " is proxy.listen itself (" + own->to_string() + ")" + remedy);
}

void check_precheck(const Fields& root, const Config& config) {
  if (!config.auth || !config.auth->precheck) return;
  const auto& name = *config.auth->precheck;
  const auto named = [&](const CheckSpec& check) { return check.name == name; };
  if (std::none_of(config.checks.begin(), config.checks.end(), named)) {
    root.section("auth").problem("precheck", "there is no check named \"" + name + "\" under checks");
  }
}

}  // namespace

Config read_config(const Fields& root, const Environment& environment, const CheckTypes& types,
                   const Vocabulary* vocabulary) {
  Config config;
  const Preset& preset = read_platform(root, environment);
  config.platform = preset.platform;
  config.proxy = read_proxy(root.section("proxy"), preset.platform);
  config.probes = read_probes(root.section("probes"));
  config.gate = read_gate(root.section("gate"), preset);
  config.checks = read_checks(root, types, vocabulary);
  if (const auto auth = root.optional_section("auth")) config.auth = read_auth(*auth);
  config.drain = read_drain(root.section("drain"), preset);
  config.reload.watch = root.section("reload").boolean("watch", false);
  config.state_file = root.optional_text("state_file");
  config.log = read_log(root.section("log"), preset, environment);
  config.alerts = read_alerts(root, types);

  refuse_shared_addresses(root, config);
  refuse_own_backend(root, config, root.problems().rendering() ? Purpose::render : Purpose::run);
  check_precheck(root, config);
  for (auto& check : config.checks) {
    const auto known = std::find(types.names.begin(), types.names.end(), check.type) != types.names.end();
    if (known && types.read) types.read(check, config);
    check.question = check.fields.question();
  }
  return config;
}

}  // namespace probegate::config
