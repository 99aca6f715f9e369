#include <unistd.h>

#include <iostream>

#include "base/exit_code.h"
#include "checks/settings.h"
#include "cli/commands.h"
#include "loop/descriptors.h"
#include "loop/listen_socket.h"
#include "sidecar/descriptor_plan.h"
#include "sidecar/sidecar.h"
#include "sidecar/state_file.h"

namespace probegate::cli {
namespace {

constexpr Duration kStateFileTime = std::chrono::milliseconds(500);

// Logs exceptions that nothing else caught. The loop continues: an internal error must not end the monitor.
class LogExceptions final : public loop::ErrorSink {
 public:
  void on_exception(const std::string& what) noexcept override {
    try {
      if (log != nullptr) log->error("internal error on the control loop", {{"what", what}});
    } catch (...) {
      // Out of memory even for the message.
    }
  }
  Log* log = nullptr;
};

Result<std::vector<loop::ListenSocket>> bind_all(const char* key, const std::vector<Endpoint>& endpoints) {
  std::vector<loop::ListenSocket> sockets;
  for (const auto& endpoint : endpoints) {
    auto socket = loop::ListenSocket::bind(endpoint);
    if (!socket) return failure(std::string(key) + ": " + socket.error().message);
    sockets.push_back(std::move(*socket));
  }
  return sockets;
}

}  // namespace

int run(const RunOptions& options) {
  LogExceptions exceptions;
  loop::Loop loop(exceptions);
  const TimePoint started = loop.now();
  const checks::Settings settings = checks::load_settings(options.config);
  if (!checks::print_problems(settings)) return exit_code::kUsage;
  loop::raise_descriptor_limit();
  if (const auto needed = sidecar::fewest_descriptors(settings.config); loop::descriptor_limit() < needed) {
    std::cerr << "probegate: the limit of open files is " << loop::descriptor_limit()
              << ", and this configuration needs at least " << needed
              << "; raise it (ulimit -n, LimitNOFILE=, --ulimit nofile=)\n";
    return exit_code::kFailed;
  }

  auto proxy_sockets = bind_all("proxy.listen", settings.config.proxy.listen);
  auto probe_sockets = bind_all("probes.listen", settings.config.probes.listen);
  for (const auto* sockets : {&proxy_sockets, &probe_sockets}) {
    if (*sockets) continue;
    std::cerr << "probegate: " << sockets->error().message << "\n";
    if (const auto& path = settings.config.state_file) {
      sidecar::StateFile::record_failed_start(*path, loop.wall_now(), kStateFileTime);
    }
    return exit_code::kCannotListen;
  }

  const auto& log_options = settings.config.log;
  Log log(STDOUT_FILENO, log_options.level, checks::log_format(log_options), loop);
  exceptions.log = &log;
  sidecar::Sidecar sidecar(loop, settings, std::move(*proxy_sockets), std::move(*probe_sockets), log,
                           started);
  const int code = sidecar.run();
  exceptions.log = nullptr;
  return code;
}

}  // namespace probegate::cli
