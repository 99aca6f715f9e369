// The commands drain, resume and pause.
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "base/exit_code.h"
#include "base/text.h"
#include "cli/action_request.h"
#include "cli/commands.h"

namespace probegate::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr Duration kPoll =
    std::chrono::milliseconds(20);                     // drain --wait ends this soon after the last session
constexpr Duration kAnswer = std::chrono::seconds(5);  // for one answer
std::string actor(const char* command) {
  const auto* user = ::getpwuid(::geteuid());
  const std::string name = user != nullptr ? user->pw_name : "uid " + std::to_string(::geteuid());
  return std::string("probegate ") + command + ", user " + name;
}

// What a drain has come to, as of one answer.
struct DrainState {
  bool draining = false;
  bool serving = false;
  long long left = 0;
  long long cut = 0;
  bool over = false;  // its time has passed

  bool done() const { return !serving && (left == 0 || over); }
};

DrainState read_drain(const Json& document) {
  DrainState state;
  const auto drain = document.find("drain");
  if (drain == document.end() || !drain->is_object()) return state;
  state.draining = true;
  state.serving = drain->value("serving", false);
  state.left = drain->value("left", 0LL);
  const auto cut = drain->find("cut");
  state.over = cut != drain->end() && cut->is_number();
  if (state.over) state.cut = cut->get<long long>();
  return state;
}

std::string sessions(long long count) {
  return std::to_string(count) + (count == 1 ? " session" : " sessions");
}

int print_end(const DrainState& state) {
  if (state.cut == 0) {
    std::cout << "drained: no session is left\n";
    return exit_code::kOk;
  }
  std::cerr << "probegate: drain.timeout has passed: " << sessions(state.cut) << " cut\n";
  return exit_code::kFailed;
}

// Reads the state until the drain is done. Returns the exit code.
int wait_for_drain(client::ProbeClient& client, DrainState state, Duration patience) {
  const TimePoint begun = client.clock().now();
  while (!state.done()) {
    if (patience > Duration::zero() && client.clock().now() - begun >= patience) {
      std::cerr << "probegate: --timeout has passed, " << sessions(state.left)
                << " left; the drain goes on\n";
      return exit_code::kFailed;
    }
    if (!client.pause(kPoll)) return exit_code::kFailed;
    const auto answer = client.get("/status", kAnswer);
    if (!answer) {
      std::cerr << "probegate: the process ended with " << sessions(state.left)
                << " left as last seen: " << answer.error().message << "\n";
      return exit_code::kFailed;
    }
    const auto document = Json::parse(answer->body, nullptr, false);
    state = read_drain(document.is_object() ? document : Json::object());
    if (!state.draining) {
      std::cerr << "probegate: the drain was ended by resume\n";
      return exit_code::kFailed;
    }
  }
  return print_end(state);
}

}  // namespace

int drain(const DrainCommandOptions& options) {
  return with_running(options.url, options.config, [&](client::ProbeClient& client) {
    const auto answer = ask_for(client, "drain", "gate", {{"by", actor("drain")}});
    if (!answer) return exit_code::kFailed;
    const auto state = read_drain(answer->document);
    if (options.wait) return wait_for_drain(client, state, options.timeout);
    std::cout << "draining, " << sessions(state.left) << " left\n";
    return exit_code::kOk;
  });
}

int resume(const GateCommandOptions& options) {
  return with_running(options.url, options.config, [&](client::ProbeClient& client) {
    const auto answer = ask_for(client, "resume", "gate", {{"by", actor("resume")}});
    if (!answer) return exit_code::kFailed;
    std::cout << "gate " << answer->text("gate") << "\n";
    return exit_code::kOk;
  });
}

int pause(const PauseCommandOptions& options) {
  return with_running(options.url, options.config, [&](client::ProbeClient& client) {
    const auto answer = ask_for(
        client, "pause", "gate",
        {{"by", actor("pause")}, {"for", format_duration(options.time)}, {"message", options.message}});
    if (!answer) return exit_code::kFailed;
    std::cout << "gate " << answer->text("gate") << " for " << format_duration(options.time) << "\n";
    return exit_code::kOk;
  });
}

}  // namespace probegate::cli
