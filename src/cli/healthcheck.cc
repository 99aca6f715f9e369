#include <iostream>

#include "base/exit_code.h"
#include "base/text.h"
#include "checks/settings.h"
#include "cli/commands.h"
#include "client/probe_client.h"
#include "client/rotating_log.h"

namespace probegate::cli {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTimeout = 2s;  // below Docker's default of 30 s, so that Docker records our message

// Appends one line without secrets to --log-file.
void log_failure(const HealthcheckOptions& options, const std::string& line, client::ProbeClient& client) {
  if (!options.log_file) return;
  const auto written =
      client::append_rotating(*options.log_file, iso8601(client.clock().wall_now()) + " " + line + "\n",
                              options.log_max, [&](Duration time) { return client.pause(time); });
  if (!written) {
    std::cerr << "probegate: cannot write " << *options.log_file << ": " << written.error().message << "\n";
  }
}

}  // namespace

int healthcheck(const HealthcheckOptions& options) {
  const auto address = client::find_probe_address(options.url, options.config);
  if (!address) {
    std::cerr << "probegate: " << address.error().message << "\n";
    return exit_code::kFailed;  // 2 is reserved by Docker
  }
  client::ProbeClient client(*address);
  const auto answer = client.get("/health/" + options.probe, kTimeout);
  const bool healthy = answer && answer->status == 200;
  const std::string line =
      options.probe + ": " + (answer ? client::describe_probe_answer(*answer) : answer.error().message);
  (healthy ? std::cout : std::cerr) << line << "\n";
  if (!healthy) log_failure(options, line, client);
  return healthy ? exit_code::kOk : exit_code::kFailed;
}

}  // namespace probegate::cli
