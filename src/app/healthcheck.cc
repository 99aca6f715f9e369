#include <filesystem>
#include <fstream>
#include <iostream>

#include "app/commands.h"
#include "app/exit_code.h"
#include "app/load_config.h"
#include "app/probe_address.h"
#include "base/text.h"
#include "loop/http_client.h"
#include "loop/resolver.h"

namespace probegate::app {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTimeout = 2s;  // below Docker's own default, so that our message is the one that is kept

// One line, no secrets: Docker shows it in `docker inspect`.
void log_failure(const HealthcheckOptions& options, const std::string& line, WallTime now) {
  if (!options.log_file) return;
  std::error_code ignored;
  if (std::filesystem::file_size(*options.log_file, ignored) + line.size() > options.log_max && !ignored) {
    std::filesystem::rename(*options.log_file, *options.log_file + ".1", ignored);
  }
  std::ofstream file(*options.log_file, std::ios::app);
  file << iso8601(now) << " " << line << "\n";
  if (!file.flush()) std::cerr << "probegate: cannot write " << *options.log_file << "\n";
}

class Silent final : public loop::ErrorSink {
 public:
  void on_exception(const std::string& what) noexcept override { message = what; }
  std::string message;
};

}  // namespace

int healthcheck(const HealthcheckOptions& options) {
  const auto address = find_probe_address(options.url, options.config);
  if (!address) {
    std::cerr << "probegate: " << address.error().message << "\n";
    return exit_code::kFailed;  // 2 is reserved by Docker
  }
  Silent sink;
  loop::Loop loop(sink);
  loop::Resolver resolver(loop);
  loop::HttpClient client(loop, resolver);
  const std::string path = "/health/" + options.probe;
  std::optional<loop::HttpClient::Outcome> outcome;
  const auto call = client.start(probe_request(*address, path, kTimeout),
                                 [&](loop::HttpClient::Outcome result) { outcome = std::move(result); });
  loop.run_until([&] { return outcome.has_value(); }, kTimeout + 500ms);

  std::string line = options.probe + ": ";
  bool healthy = false;
  if (!outcome) {
    line += "no answer from " + address->to_string();
  } else if (!*outcome) {
    line += address->to_string() + ": " + outcome->error().message;
  } else {
    healthy = (*outcome)->status == 200;
    line += describe_probe_answer(**outcome);
  }
  (healthy ? std::cout : std::cerr) << line << "\n";
  if (!healthy) log_failure(options, line, loop.wall_now());
  return healthy ? exit_code::kOk : exit_code::kFailed;
}

}  // namespace probegate::app
