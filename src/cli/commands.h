// The commands. Each prints results on stdout and errors on stderr, and returns the exit code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "deploy/deployment.h"

namespace probegate::cli {

struct RunOptions {
  std::optional<std::string> config;
};
int run(const RunOptions& options);

struct ValidateOptions {
  std::optional<std::string> config;
  bool print = false;  // the effective configuration, secrets hidden
};
int validate(const ValidateOptions& options);

struct CheckOptions {
  std::optional<std::string> config;
  Duration wait{0};  // 0: until each check has a verdict; otherwise until all pass or this time is over
  bool json = false;
  std::vector<std::string> command = {};  // executed once all pass
};
int check(const CheckOptions& options);

struct HealthcheckOptions {
  std::optional<std::string> config;
  std::optional<std::string> url;  // of the probe port, "http://127.0.0.1:9090"
  std::string probe = "live";      // startup | ready | live
  std::optional<std::string> log_file;
  std::uint64_t log_max = 10 * 1024 * 1024;
};
int healthcheck(const HealthcheckOptions& options);

struct WaitOptions {
  std::optional<std::string> config;
  std::optional<std::string> url;
  std::string probe = "ready";  // startup | ready | live
  Duration timeout = std::chrono::seconds(60);
  std::vector<std::string> command = {};  // executed then
};
int wait(const WaitOptions& options);

struct ReloadCommandOptions {
  std::optional<std::string> config;
  std::optional<std::string> url;
  bool json = false;
};
int reload(const ReloadCommandOptions& options);

struct GateCommandOptions {
  std::optional<std::string> config;
  std::optional<std::string> url;
};
struct DrainCommandOptions : GateCommandOptions {
  bool wait = false;
  Duration timeout{0};  // how long --wait waits; 0: as long as the drain may take
};
struct PauseCommandOptions : GateCommandOptions {
  Duration time = std::chrono::minutes(10);
  std::string message;
};
int drain(const DrainCommandOptions& options);
int resume(const GateCommandOptions& options);
int pause(const PauseCommandOptions& options);

struct StatusOptions {
  std::optional<std::string> config;
  std::optional<std::string> url;
  bool watch = false;
  bool json = false;
};
int status(const StatusOptions& options);

struct SmokeOptions {
  std::string url;                        // ws:// or wss://
  std::vector<std::string> headers;       // NAME:VALUE
  std::vector<std::string> subprotocols;  // in the order in which they are offered
  int connections = 10;
  Duration timeout = std::chrono::seconds(5);  // per connection
  bool json = false;
};
int smoke(const SmokeOptions& options);

struct ReportOptions {
  std::optional<std::string> config;
  std::optional<std::string> url;
  Duration window = std::chrono::minutes(25);
  std::string fail_on;  // conditions joined by commas
  bool json = false;
};
int report(const ReportOptions& options);

struct RenderOptions {
  std::optional<std::string> config;
  std::string platform;  // cloud-run | compose | kubernetes
  deploy::Names names;
};
int render(const RenderOptions& options);

}  // namespace probegate::cli
