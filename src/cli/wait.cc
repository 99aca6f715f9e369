#include <algorithm>
#include <iostream>

#include "base/exit_code.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/execute.h"
#include "client/probe_client.h"

namespace probegate::cli {
namespace {

using namespace std::chrono_literals;

constexpr Duration kAnswer = 2s;   // for one answer
constexpr Duration kPoll = 100ms;  // between two questions

// Empty once the probe passes; otherwise what it waits for. Prints each change of that.
std::string wait_for_probe(client::ProbeClient& client, const WaitOptions& options) {
  const TimePoint until = client.clock().now() + options.timeout;
  std::string told;
  for (;;) {
    const Duration left = until - client.clock().now();
    const auto answer = client.get("/health/" + options.probe, std::clamp(left, Duration(1ms), kAnswer));
    if (answer && answer->status == 200) return {};
    const std::string why = answer ? client::describe_probe_answer(*answer) : answer.error().message;
    if (client.interrupted()) return "interrupted; " + why;
    if (client.clock().now() + kPoll >= until)
      return "not " + options.probe + " within " + format_duration(options.timeout) + ": " + why;
    if (why != told) std::cerr << "waiting: " << (told = why) << "\n";
    if (!client.pause(kPoll)) return "interrupted; " + why;
  }
}

}  // namespace

int wait(const WaitOptions& options) {
  const auto address = client::find_probe_address(options.url, options.config);
  if (!address) {
    std::cerr << "probegate: " << address.error().message << "\n";
    return exit_code::kUsage;
  }
  {
    client::ProbeClient client(*address);
    if (const auto why = wait_for_probe(client, options); !why.empty()) {
      std::cerr << "probegate: " << why << "\n";
      return exit_code::kFailed;
    }
  }
  return options.command.empty() ? exit_code::kOk : execute(options.command);
}

}  // namespace probegate::cli
