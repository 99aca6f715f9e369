#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "app/commands.h"
#include "app/exit_code.h"
#include "app/load_config.h"
#include "checks/plan.h"
#include "checks/runner.h"
#include "health/readiness_json.h"
#include "loop/http_client.h"
#include "loop/resolver.h"
#include "loop/timer.h"

namespace probegate::app {
namespace {

using namespace std::chrono_literals;

class Ignore final : public loop::ErrorSink {
 public:
  void on_exception(const std::string& what) noexcept override { std::cerr << "probegate: " << what << "\n"; }
};

// One line for each change, and the verdict at the end.
class CheckRun final : public checks::RunnerObserver {
 public:
  CheckRun(loop::Loop& loop, const config::Config& config, const CheckOptions& options)
      : loop_(loop),
        options_(options),
        resolver_(loop),
        http_(loop, resolver_),
        started_(loop.now()),
        model_(checks::check_policies(config), started_, loop.wall_now()),
        runner_({loop, resolver_, http_}, model_, checks::plan_checks(config), *this, std::random_device{}()),
        limit_(loop, [&loop] { loop.stop(); }) {
    for (const auto& policy : model_.policies()) name_width_ = std::max(name_width_, policy.name.size());
  }

  bool passed() {
    if (finished()) return checks::all_passing(model_);
    if (options_.wait > Duration::zero()) limit_.start(options_.wait);
    runner_.start();
    loop_.run();
    runner_.stop();
    return checks::all_passing(model_);
  }

  // The document of CONTRACT 5, without what only a running sidecar has.
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
    for (std::size_t i = 0; i < model_.states().size(); ++i) std::cout << row(i) << "\n";
  }

 private:
  bool finished() const {
    return checks::all_passing(model_) || (options_.wait == Duration::zero() && checks::all_judged(model_));
  }

  void on_result(std::size_t, const health::CheckResult&, Duration) override {
    if (finished()) loop_.stop();
  }

  // Progress, where somebody is looking at it.
  void on_transition(const health::Transition& transition) override {
    if (!options_.json && ::isatty(STDERR_FILENO) != 0) std::cerr << row(transition.check) << "\n";
  }

  std::string row(std::size_t check) const {
    const auto& policy = model_.policies()[check];
    const auto& state = model_.states()[check];
    std::string text = policy.name;
    text.resize(name_width_ + 2, ' ');
    std::string status(health::to_string(state.status));
    status.resize(9, ' ');
    text += status;
    if (state.latency && state.passing()) {
      char latency[32];
      std::snprintf(latency, sizeof latency, "%.1f ms", to_millis(*state.latency));
      text += latency;
    }
    if (state.error) {
      if (state.passing()) text += "  ";
      text += std::string(health::to_string(state.error->kind)) + ": " + state.error->message;
    }
    if (!state.waiting_for.empty()) {
      text += "for";
      for (const auto need : state.waiting_for) text += " " + model_.policies()[need].name;
    }
    return text;
  }

  loop::Loop& loop_;
  const CheckOptions& options_;
  loop::Resolver resolver_;
  loop::HttpClient http_;
  const TimePoint started_;
  health::HealthModel model_;
  checks::Runner runner_;
  loop::Timer limit_;
  std::size_t name_width_ = 0;
};

}  // namespace

int check(const CheckOptions& options) {
  const Settings settings = load_settings(options.config);
  if (!print_problems(settings)) return exit_code::kUsage;
  Ignore sink;
  loop::Loop loop(sink);
  CheckRun checks(loop, settings.config, options);
  const bool passed = checks.passed();
  if (options.json) {
    checks.print_json(passed);
  } else {
    checks.print_table();
  }
  return passed ? exit_code::kOk : exit_code::kFailed;
}

}  // namespace probegate::app
