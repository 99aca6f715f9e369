#include <unistd.h>

#include <cmath>
#include <iostream>

#include "base/exit_code.h"
#include "base/text.h"
#include "cli/commands.h"
#include "client/probe_client.h"
#include "client/running_state.h"
#include "client/terminal.h"

namespace probegate::cli {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTimeout = 2s;
constexpr Duration kPeriod = 1s;  // of --watch
constexpr const char* kClearScreen = "\x1b[2J";

std::string span_text(double seconds) {
  return format_duration(std::chrono::seconds(std::llround(std::max(seconds, 0.0))));
}

std::string table(const client::RunningState& state, const client::Paint& paint, std::size_t columns) {
  client::Table rows;
  rows.add({{"CHECK", client::Color::dim},
            {"STATUS", client::Color::dim},
            {"LATENCY", client::Color::dim, true},
            {"SINCE", client::Color::dim},
            {"TARGET", client::Color::dim},
            {"WHY", client::Color::dim}});
  for (const auto& check : state.checks) {
    rows.add({{check.name},
              {check.status, client::color_of_word(check.status)},
              {check.latency_ms ? client::millis_text(*check.latency_ms) : "", client::Color::none, true},
              {check.since_seconds ? span_text(*check.since_seconds) + " ago" : ""},
              {check.target},
              {check.why}});
  }
  return rows.text(paint, columns);
}

// `columns`: the width of the screen that lines must fit; 0 for no limit.
std::string page(const client::RunningState& state, const client::Paint& paint, std::size_t columns = 0) {
  std::string line = client::headline(state).substr(state.status.size());
  if (state.uptime_seconds) line += ", up " + span_text(*state.uptime_seconds);
  if (state.startup_seconds)
    line += ", first open after " + client::millis_text(*state.startup_seconds * 1000);
  const auto color =
      state.concerns.empty() || !state.ready() ? client::color_of_word(state.status) : client::Color::warn;
  std::string text = paint(color, state.status) + line + "\n";
  for (const auto& concern : state.concerns) text += paint(client::Color::bad, concern) + "\n";
  if (!state.by_hand.empty()) text += paint(client::Color::warn, state.by_hand) + "\n";
  if (!state.restarts.empty()) text += paint(client::Color::bad, state.restarts) + "\n";
  for (const auto& one : state.clients) text += one + "\n";
  if (!state.traffic.empty()) text += state.traffic + "\n";
  if (!state.checks.empty()) text += "\n" + table(state, paint, columns);
  return text;
}

// The state without its numbers. Without a terminal, --watch prints a line only when this changes.
std::string essence(const client::RunningState& state) {
  std::string text = client::headline(state);
  for (const auto& check : state.checks) text += "\n" + check.name + " " + check.status + " " + check.reason;
  for (const auto& concern : state.concerns) text += "\n" + concern;
  return text;
}

class Status {
 public:
  Status(const StatusOptions& options, client::ProbeAddress address)
      : options_(options),
        client_(std::move(address)),
        paint_(client::Paint::for_descriptor(STDOUT_FILENO)),
        redraws_(options.watch && !options.json && client::can_redraw(STDOUT_FILENO)) {}

  int once() {
    const auto state = ask();
    if (!state) {
      std::cerr << "probegate: " << state.error().message << "\n";
    } else if (options_.json) {
      std::cout << state->document.dump(2) << "\n";
    } else {
      std::cout << page(*state, paint_);
    }
    return state && state->ready() ? exit_code::kOk : exit_code::kFailed;
  }

  // Until interrupted; the exit code is that of the last answer.
  int watch() {
    bool ready = false;
    if (redraws_) std::cout << kClearScreen;
    do {
      const auto state = ask();
      if (client_.interrupted()) break;
      ready = state && state->ready();
      if (redraws_) {
        const auto screen = client::screen_size(STDOUT_FILENO);
        const auto text = state ? page(*state, paint_, screen.columns - 1) : state.error().message + "\n";
        std::cout << client::frame(text, screen);
      } else {
        print_change(state);
      }
      if (!std::cout.flush()) break;  // the reader has left
    } while (client_.pause(kPeriod));
    if (redraws_) std::cout << "\n";  // below the ^C that the terminal has written
    return ready ? exit_code::kOk : exit_code::kFailed;
  }

 private:
  Result<client::RunningState> ask() {
    auto response = client_.get("/status", kTimeout);
    if (!response) return failure("the running probegate cannot be reached at " + response.error().message);
    auto state = client::read_running_state(*response);
    if (!state) return failure(client_.address().to_string() + ": " + state.error().message);
    return state;
  }

  void print_change(const Result<client::RunningState>& state) {
    const std::string now = state ? essence(*state) : state.error().message;
    if (std::exchange(last_, now) == now) return;
    if (options_.json) {
      if (state) std::cout << state->document.dump() << "\n";
      if (!state) std::cerr << "probegate: " << now << "\n";
      return;
    }
    std::cout << iso8601(client_.clock().wall_now()) << " " << (state ? client::headline(*state) : now);
    if (state) {
      for (const auto& check : state->checks) std::cout << "; " << check.name << " " << check.status;
      for (const auto& concern : state->concerns) std::cout << "; " << concern;
      for (const auto& check : state->checks) {
        if (!check.reason.empty()) std::cout << "; " << check.name << ": " << check.reason;
      }
    }
    std::cout << "\n";
  }

  const StatusOptions& options_;
  client::ProbeClient client_;
  const client::Paint paint_;
  const bool redraws_;
  std::string last_;
};

}  // namespace

int status(const StatusOptions& options) {
  auto address = client::find_probe_address(options.url, options.config);
  if (!address) {
    std::cerr << "probegate: " << address.error().message << "\n";
    return exit_code::kUsage;
  }
  Status command(options, std::move(*address));
  return options.watch ? command.watch() : command.once();
}

}  // namespace probegate::cli
