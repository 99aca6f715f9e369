#include "config/load.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "load_fixture.h"

namespace probegate::config {
namespace {

std::string with_check(const std::string& keys) {
  return "checks:\n  a: {type: redis, url: \"redis://h\", " + keys + "}\n";
}

TEST_CASE("An empty file is a whole configuration of defaults") {
  for (const auto* text : {"", "\n", "# nothing\n", "---\n", "~\n", "proxy:\nchecks:\n", "\xEF\xBB\xBF"}) {
    CAPTURE(text);
    const auto loaded = load_yaml(text);
    CHECK(loaded.problems == Lines{});
    CHECK(loaded.config.proxy.listen == std::vector{Endpoint::tcp("0.0.0.0", 8080)});
    CHECK(loaded.config.probes.listen == std::vector{Endpoint::tcp("0.0.0.0", 9090)});
    CHECK(loaded.config.proxy.backend.endpoint == Endpoint::tcp("127.0.0.1", 8000));
    CHECK(loaded.config.proxy.workers == 1);
    CHECK(loaded.config.proxy.trust.networks.size() == 2);
    CHECK_FALSE(loaded.config.proxy.trust.every_peer);
    CHECK(loaded.config.gate.startup_timeout == 120s);
    CHECK(loaded.config.drain.timeout == 8s);
    CHECK(loaded.config.checks.empty());
    CHECK_FALSE(loaded.config.auth);
  }
}

TEST_CASE("The reference file is valid, and everything in it stands at its default") {
  const auto reference = load(REFERENCE_FILE, {}, stub_types());
  CHECK(reference.problems == Lines{});
  REQUIRE(reference.config.checks.size() == 7);
  CHECK(reference.config.checks[2].name == "websocket");
  CHECK(reference.config.checks[2].traffic);

  const auto head = [](const std::string& text) { return text.substr(0, text.find("checks:")); };
  const auto tail = [](const std::string& text) { return text.substr(text.find("\ndrain:")); };
  const auto defaults = load_yaml("");
  CHECK(head(reference.effective) == head(defaults.effective));
  CHECK(tail(reference.effective) == tail(defaults.effective));
}

TEST_CASE("The platform comes from the environment, and a named one wins") {
  const auto platform = [](const std::string& yaml, const Environment& environment) {
    return load_yaml(yaml, environment).config.platform;
  };
  CHECK(platform("", {}) == Platform::none);
  CHECK(platform("", {{"K_SERVICE", "chat"}}) == Platform::cloud_run);
  CHECK(platform("", {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}}) == Platform::kubernetes);
  CHECK(platform("", {{"K_SERVICE", "chat"}, {"KUBERNETES_SERVICE_HOST", "h"}}) == Platform::cloud_run);
  CHECK(platform("platform: docker", {{"K_SERVICE", "chat"}}) == Platform::docker);
}

TEST_CASE("A platform presets drain and log, and keys below it win") {
  const auto kubernetes = load_yaml("platform: kubernetes").config;
  CHECK(kubernetes.drain.delay == 5s);
  CHECK(kubernetes.drain.timeout == 25s);
  CHECK(kubernetes.log.format == LogFormat::json);
  const auto docker = load_yaml("platform: docker").config;
  CHECK(docker.drain.delay + docker.drain.timeout < 10s);
  CHECK(docker.log.format == LogFormat::json);
  CHECK(load_yaml("platform: cloud-run").config.log.format == LogFormat::json);
  CHECK_FALSE(load_yaml("platform: none").config.log.format);
  const auto own = load_yaml("platform: kubernetes\ndrain: {delay: 1s}\nlog: {format: text}").config;
  CHECK(own.drain.delay == 1s);
  CHECK(own.drain.timeout == 25s);
  CHECK(own.log.format == LogFormat::text);
}

TEST_CASE("Where the platform would restart a gate that gives up, its preset is to wait") {
  const auto on_timeout = [](const std::string& keys, const Environment& environment) {
    return load_yaml(keys, environment).config.gate.on_startup_timeout;
  };
  CHECK(on_timeout("platform: kubernetes", {}) == StartupTimeoutPolicy::wait);
  CHECK(on_timeout("platform: docker", {}) == StartupTimeoutPolicy::wait);
  CHECK(on_timeout("platform: cloud-run", {}) == StartupTimeoutPolicy::fail);
  CHECK(on_timeout("platform: none", {}) == StartupTimeoutPolicy::fail);
  CHECK(on_timeout("platform: kubernetes\ngate: {on_startup_timeout: exit}", {}) ==
        StartupTimeoutPolicy::exit);

  // Docker says nothing by itself, and Kubernetes may be told by hand too.
  CHECK(on_timeout("", {{"PROBEGATE_PLATFORM", "docker"}}) == StartupTimeoutPolicy::wait);
  CHECK(load_yaml("", {{"PROBEGATE_PLATFORM", "kubernetes"}}).config.drain.delay == 5s);
  CHECK(on_timeout("platform: none", {{"PROBEGATE_PLATFORM", "docker"}}) == StartupTimeoutPolicy::fail);
  CHECK(problems_of("", {{"PROBEGATE_PLATFORM", "dokcer"}}).size() == 1);
}

TEST_CASE("Who is trusted comes from the platform, and a list on Cloud Run adds hops to it") {
  const auto trust = [](const std::string& keys) { return load_yaml(keys).config.proxy.trust; };
  const auto networks = [&](const std::string& keys) {
    std::vector<std::string> texts;
    for (const auto& network : trust(keys).networks) texts.push_back(network.text);
    return texts;
  };
  const std::vector<std::string> loopback{"127.0.0.0/8", "::1/128"};
  for (const auto* text :
       {"", "proxy: {forwarded: {trust: auto}}", "platform: kubernetes", "platform: docker"}) {
    CHECK(networks(text) == loopback);
    CHECK_FALSE(trust(text).every_peer);
  }
  CHECK(networks("proxy: {forwarded: {trust: [10.0.0.0/8]}}") == std::vector<std::string>{"10.0.0.0/8"});
  CHECK(networks("proxy: {forwarded: {trust: []}}").empty());

  const std::string cloud_run = "platform: cloud-run\n";
  CHECK(trust(cloud_run).every_peer);
  CHECK(networks(cloud_run) ==
        std::vector<std::string>{"127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10"});
  CHECK(trust(cloud_run + "proxy: {forwarded: {trust: [35.191.0.0/16]}}").every_peer);
  CHECK(networks(cloud_run + "proxy: {forwarded: {trust: [35.191.0.0/16]}}").back() == "35.191.0.0/16");
  CHECK_FALSE(trust(cloud_run + "proxy: {forwarded: {trust: []}}").every_peer);
  CHECK(networks(cloud_run + "proxy: {forwarded: {trust: []}}").empty());
}

TEST_CASE("Cloud Run's ten seconds bind also when the platform was detected") {
  CHECK(problems_of("drain: {delay: 2s}", {{"K_SERVICE", "chat"}}).size() == 1);
  CHECK(problems_of("drain: {delay: 2s, timeout: 7999ms}", {{"K_SERVICE", "chat"}}).empty());
  CHECK(problems_of("drain: {delay: 2s}").empty());
}

TEST_CASE("PORT is the default of proxy.listen, and a key in the file wins") {
  const auto port = [](const std::string& yaml) {
    return load_yaml(yaml, {{"PORT", "3000"}}).config.proxy.listen.at(0).port;
  };
  CHECK(port("") == 3000);
  CHECK(port("proxy: {workers: 2}") == 3000);
  CHECK(port("proxy:") == 3000);
  CHECK(port("proxy: {listen: \"h:1\"}") == 1);
  CHECK(problems_of("", {{"PORT", "http"}}) ==
        Lines{"environment: PORT: must be a port number from 0 to 65535, not \"http\""});
}

TEST_CASE("A list of addresses is read, and equal ones conflict unless their port is 0") {
  const auto loaded = load_yaml("proxy: {listen: [\"h:1\", \"[::1]:1\", \"unix:/run/p.sock\"]}");
  CHECK(loaded.problems == Lines{});
  CHECK(loaded.config.proxy.listen ==
        std::vector{Endpoint::tcp("h", 1), Endpoint::tcp("::1", 1), Endpoint::unix_socket("/run/p.sock")});
  CHECK(problems_of("proxy: {listen: \"h:0\"}\nprobes: {listen: \"h:0\"}").empty());
  CHECK(problems_of("proxy: {listen: \"h:1\"}\nprobes: {listen: \"h:1\"}").size() == 1);
  CHECK(problems_of("proxy: {listen: \"0.0.0.0:1\"}\nprobes: {listen: \"127.0.0.1:1\"}").size() == 1);
  CHECK(problems_of("proxy: {listen: \"127.0.0.1:1\"}\nprobes: {listen: \"0.0.0.0:1\"}").size() == 1);
  CHECK(problems_of("proxy: {listen: \"0.0.0.0:1\"}\nprobes: {listen: \"[::1]:1\"}").empty());
  CHECK(problems_of("proxy: {listen: \"unix:/a\"}\nprobes: {listen: \"unix:/a\"}").size() == 1);
}

TEST_CASE("workers: auto is the number of CPUs") {
  const auto loaded = load_yaml("proxy: {workers: auto}");
  CHECK(loaded.config.proxy.workers == static_cast<int>(std::thread::hardware_concurrency()));
}

TEST_CASE("A websocket check affects traffic unless it says otherwise; affects [] is reported only") {
  const auto check = [](const std::string& keys) {
    return load_yaml("checks: {a: {url: /ws, " + keys + "}}").config.checks.at(0);
  };
  CHECK(check("type: websocket").traffic);
  CHECK_FALSE(check("type: redis").traffic);
  CHECK(check("type: redis").startup);
  const auto none = check("type: websocket, affects: []");
  CHECK_FALSE(none.startup);
  CHECK_FALSE(none.readiness);
  CHECK_FALSE(none.traffic);
}

TEST_CASE("Common keys of a check are read") {
  const auto check =
      load_yaml(with_check(
                    "interval: 1s, startup_interval: 20ms, timeout: 3s, rise: 2, fall: 4, "
                    "initial_delay: 5s, slow: 6ms, stable_for: 7s, max_session: 8s, "
                    "tls: {ca_file: /ca, server_name: n, min_days_left: 9, cert_file: /crt, key_file: /key}"))
          .config.checks.at(0);
  CHECK(check.interval == 1s);
  CHECK(check.startup_interval == 20ms);
  CHECK(check.timeout == 3s);
  CHECK(check.rise == 2);
  CHECK(check.fall == 4);
  CHECK(check.initial_delay == 5s);
  CHECK(check.slow == 6ms);
  CHECK(check.stable_for == 7s);
  CHECK(check.max_session == 8s);
  CHECK(check.tls.ca_file == "/ca");
  CHECK(check.tls.cert_file == "/crt");
  CHECK(check.tls.key_file == "/key");
  CHECK(check.tls.server_name == "n");
  CHECK(check.tls.min_days_left == 9);
}

TEST_CASE("A check's own keys are read with the whole configuration at hand, and may be read again later") {
  CheckTypes types{{"redis"}, [](CheckSpec& spec, const Config& config) {
                     spec.fields.secret_url("url");
                     if (config.auth) spec.fields.problem("url", "auth is known here");
                   }};
  const auto loaded =
      load_text("checks: {a: {type: redis, url: x}}\nauth: {url: \"http://h\"}", "f.yaml", {}, types);
  CHECK(loaded.problems.at(0) == "f.yaml:1:32: checks.a.url: auth is known here");
  CHECK(loaded.config.checks.at(0).fields.secret_url("url") == "x");  // the problems' owner is long gone
}

TEST_CASE("A CheckSpec of its own reads nothing but defaults") {
  const CheckSpec check;
  CHECK(check.fields.text("url", "none") == "none");
  CHECK_FALSE(check.fields.has("url"));
}

TEST_CASE("Profiles of auth preset timeout and breaker, and keys below win") {
  const auto auth = [](const std::string& keys) {
    return *load_yaml("auth: {url: \"http://h\", " + keys + "}").config.auth;
  };
  CHECK(auth("").timeout == 2s);
  CHECK(auth("").breaker_failures == 2);
  CHECK(auth("").breaker_recovery == 30s);
  CHECK(auth("profile: production").timeout == 5s);
  CHECK(auth("profile: production").breaker_failures == 5);
  CHECK(auth("profile: production").breaker_recovery == 60s);
  CHECK(auth("profile: development").timeout == 3s);
  CHECK(auth("profile: production, timeout: 1s, breaker: {failures: 9}").timeout == 1s);
  CHECK(auth("profile: production, timeout: 1s, breaker: {failures: 9}").breaker_failures == 9);
  CHECK(auth("profile: production, timeout: 1s, breaker: {failures: 9}").breaker_recovery == 60s);
  CHECK(auth("send_headers: [X-Token]").send_headers == Lines{"x-token"});
}

TEST_CASE("The environment alone makes the checks it names, each needing the one before") {
  const Environment environment = {{"PORT", "3000"},
                                   {"PROBE_PORT", "3001"},
                                   {"BACKEND_URL", "http://app:1"},
                                   {"DATABASE_URL", "postgres://u:p$1${X}@h/d"},
                                   {"DATABASE_TABLES", "a, b,"},
                                   {"REDIS_URL", "redis://r"},
                                   {"WEBSOCKET_PATH", "/ws"},
                                   {"AUTH_HEALTH_URL", "http://auth/health"},
                                   {"LOG_LEVEL", "warn"}};
  const auto loaded = load(std::nullopt, environment, stub_types());
  CHECK(loaded.problems == Lines{});
  CHECK(loaded.source == "environment");
  const auto& config = loaded.config;
  CHECK(config.proxy.listen.at(0).port == 3000);
  CHECK(config.probes.listen.at(0).port == 3001);
  CHECK(config.proxy.backend.endpoint == Endpoint::tcp("app", 1));
  CHECK(config.log.level == LogLevel::warn);
  REQUIRE(config.checks.size() == 4);
  CHECK(config.checks[0].name == "database");
  CHECK(config.checks[0].fields.secret_url("url") == "postgres://u:p$1${X}@h/d");
  CHECK(config.checks[0].fields.text_list("tables", {}) == Lines{"a", "b"});
  CHECK(config.checks[1].needs == Lines{"database"});
  CHECK(config.checks[2].needs == Lines{"redis"});
  CHECK(config.checks[2].traffic);
  CHECK(config.checks[3].name == "auth");
  CHECK(config.checks[3].needs.empty());
  CHECK_FALSE(config.checks[3].startup);
}

TEST_CASE("In the environment alone a check needs the nearest one before it") {
  const auto loaded =
      load(std::nullopt, {{"DATABASE_URL", "postgres://h/d"}, {"WEBSOCKET_PATH", "/ws"}}, stub_types());
  CHECK(loaded.config.checks.at(1).needs == Lines{"database"});
  CHECK(load(std::nullopt, {{"WEBSOCKET_PATH", "/ws"}}, stub_types()).config.checks.at(0).needs.empty());
  CHECK(load(std::nullopt, {}, stub_types()).config.checks.empty());
}

TEST_CASE("Mistakes in the environment name the variable, and come all at once") {
  const Environment environment = {
      {"PORT", "70000"},        {"PROBE_PORT", "x"}, {"BACKEND_URL", "https://app"},
      {"DATABASE_TABLES", "a"}, {"REDIS_URL", ""},   {"LOG_LEVEL", "loud"}};
  CHECK(load(std::nullopt, environment, stub_types()).problems ==
        Lines{"environment: PROBE_PORT: must be a port number from 0 to 65535, not \"x\"",
              "environment: DATABASE_TABLES: has no effect without DATABASE_URL; set DATABASE_URL or unset "
              "this variable",
              "environment: REDIS_URL: set but empty; unset it or give it a value",
              "environment: PORT: must be a port number from 0 to 65535, not \"70000\"",
              "environment: BACKEND_URL: \"https://app\": https is not supported for the backend; write "
              "http://host:port",
              "environment: LOG_LEVEL: must be one of debug, info, warn, error, not \"loud\""});
}

TEST_CASE("A file that cannot be read says why") {
  CHECK(load("/nonexistent/p.yaml", {}, stub_types()).problems ==
        Lines{"/nonexistent/p.yaml: cannot read: No such file or directory"});
  CHECK(load("/tmp", {}, stub_types()).problems == Lines{"/tmp: cannot read: Is a directory"});
  CHECK(load("/dev/zero", {}, stub_types()).problems ==
        Lines{"/dev/zero: cannot read: larger than 1024 KiB, the limit"});
  CHECK(problems_of(std::string(1024 * 1024 + 1, ' ')) == Lines{"f.yaml: larger than 1 MiB, the limit"});
}

TEST_CASE("Carriage returns before line feeds are fine, alone they are not") {
  CHECK(load_yaml("log:\r\n  level: warn\r\n").config.log.level == LogLevel::warn);
  CHECK(problems_of("log:\r  level: warn\r").size() == 1);
}

TEST_CASE("A key that stands in the wrong section is told where it belongs") {
  const auto told = [](const std::string& yaml) {
    const auto problems = problems_of(yaml);
    return problems.size() == 1 ? problems.front() : std::to_string(problems.size()) + " problems";
  };
  CHECK(told("delay: 1s").find("it is a key of drain;") != std::string::npos);
  CHECK(told("gate: {per_second: 1}").find("it is a key of proxy.hold;") != std::string::npos);
  CHECK(told("max_lifetime: 1s").find("it is a key of proxy.websocket;") != std::string::npos);
  CHECK(told("proxy: {}\nchecks: {a: {type: tcp, address: 'h:1', tables: []}}")
            .find("it is a key of a check of type postgres or mysql;") != std::string::npos);
  CHECK(told("stable_for: 1s").find("it is a key of a check of type redis;") != std::string::npos);
}

}  // namespace
}  // namespace probegate::config
