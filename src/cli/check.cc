#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "base/exit_code.h"
#include "checks/plan.h"
#include "checks/runner.h"
#include "checks/settings.h"
#include "cli/commands.h"
#include "cli/execute.h"
#include "client/terminal.h"
#include "health/readiness_json.h"
#include "loop/timer.h"

namespace probegate::cli {
namespace {

using namespace std::chrono_literals;

class Ignore final : public loop::ErrorSink {
 public:
  void on_exception(const std::string& what) noexcept override { std::cerr << "probegate: " << what << "\n"; }
};

// Runs the checks until the verdict is known; prints a line of progress for each change.
class CheckRun final : public checks::RunnerObserver {
 public:
  CheckRun(loop::Loop& loop, const config::Config& config, const CheckOptions& options)
      : loop_(loop),
        options_(options),
        started_(loop.now()),
        model_(checks::check_policies(config), started_, loop.wall_now()),
        runner_(loop, model_, checks::plan_checks(config), *this, std::random_device{}()),
        limit_(loop, [&loop] { loop.stop(); }) {}

  bool passed() {
    if (finished()) return checks::all_passing(model_);
    if (options_.wait > Duration::zero()) limit_.start(options_.wait);
    runner_.start();
    loop_.run();
    runner_.stop();
    return checks::all_passing(model_);
  }

  [[nodiscard]] bool threads_ended() { return runner_.threads_ended(); }

  // Shaped like /status, without the keys that only a running sidecar has.
  void print_json(bool all_passed) const {
    health::Snapshot snapshot;
    snapshot.policies = std::make_shared<const std::vector<health::CheckPolicy>>(model_.policies());
    snapshot.checks = model_.states();
    const auto body = health::readiness_json(snapshot, health::Document::readiness, health::Details::full);
    const auto full = nlohmann::ordered_json::parse(body.text("", "0"));
    const nlohmann::ordered_json document{{"status", all_passed ? "ready" : "not_ready"},
                                          {"checks", full.at("checks")}};
    std::cout << document.dump(2) << "\n";
  }

  void print_table() const {
    client::Table table;
    for (std::size_t i = 0; i < model_.states().size(); ++i) table.add(row(i));
    std::cout << table.text(client::Paint::for_descriptor(STDOUT_FILENO));
  }

 private:
  bool finished() const {
    return checks::all_passing(model_) || (options_.wait == Duration::zero() && checks::all_judged(model_));
  }

  void on_result(std::size_t, const health::CheckResult&, Duration) override {
    if (finished()) loop_.stop();
  }

  // Progress is for people, so only on a terminal.
  void on_transition(const health::Transition& transition) override {
    if (!options_.json && client::is_terminal(STDERR_FILENO)) print_progress(transition.check);
  }

  std::vector<client::Cell> row(std::size_t check) const {
    const auto& state = model_.states()[check];
    const std::string status(health::to_string(state.status));
    const bool measured = state.latency && state.passing();
    return {{model_.policies()[check].name},
            {status, client::color_of_word(status)},
            {measured ? client::millis_text(to_millis(*state.latency)) : "", client::Color::none, true},
            {why(state)}};
  }

  std::string why(const health::CheckState& state) const {
    if (state.error) return std::string(health::to_string(state.error->kind)) + ": " + state.error->message;
    std::string needs;
    for (const auto need : state.waiting_for)
      needs += (needs.empty() ? "" : ", ") + model_.policies()[need].name;
    return needs.empty() ? "" : "waits for " + needs;
  }

  // One line of progress, beginning with the elapsed time.
  void print_progress(std::size_t check) const {
    const client::Paint paint = client::Paint::for_descriptor(STDERR_FILENO);
    const auto& state = model_.states()[check];
    const std::string status(health::to_string(state.status));
    char passed[32];
    std::snprintf(passed, sizeof passed, "%6.1f s  ", to_seconds(loop_.now() - started_));
    std::cerr << paint(client::Color::dim, passed) << model_.policies()[check].name << " "
              << paint(client::color_of_word(status), status) << (why(state).empty() ? "" : "  ")
              << why(state) << "\n";
  }

  loop::Loop& loop_;
  const CheckOptions& options_;
  const TimePoint started_;
  health::HealthModel model_;
  checks::Runner runner_;
  loop::Timer limit_;
};

bool run_checks(const config::Config& config, const CheckOptions& options) {
  Ignore sink;
  loop::Loop loop(sink);
  CheckRun checks(loop, config, options);
  const bool passed = checks.passed();
  const bool goes_on = passed && !options.command.empty();
  if (goes_on) {
    // Stdout belongs to the command; stderr has had the progress.
  } else if (options.json) {
    checks.print_json(passed);
  } else {
    checks.print_table();
  }
  if (checks.threads_ended()) return passed;
  // A check's code still runs and may use what a normal exit destroys.
  std::cout.flush();
  std::_Exit(goes_on ? execute(options.command) : passed ? exit_code::kOk : exit_code::kFailed);
}

}  // namespace

int check(const CheckOptions& options) {
  const checks::Settings settings = checks::load_settings(options.config);
  if (!checks::print_problems(settings)) return exit_code::kUsage;
  checks::print_warnings(settings);
  if (settings.config.checks.empty()) return exit_code::kUsage;
  const bool passed = run_checks(settings.config, options);
  if (passed && !options.command.empty()) return execute(options.command);
  return passed ? exit_code::kOk : exit_code::kFailed;
}

}  // namespace probegate::cli
