#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/exit_code.h"
#include "base/text.h"
#include "base/url.h"
#include "checks/presentable.h"
#include "checks/websocket_visit.h"
#include "cli/commands.h"
#include "client/latencies.h"
#include "client/terminal.h"
#include "loop/http_client.h"
#include "loop/resolver.h"
#include "loop/signal_watch.h"
#include "loop/timer.h"

namespace probegate::cli {
namespace {

using checks::VisitStep;
using health::CheckResult;
using Json = nlohmann::ordered_json;

// The measured parts of a connection: the time of each step, and the total.
constexpr std::array<const char*, 5> kParts = {"connect", "handshake", "ping", "close", "total"};

struct Failure {
  std::string kind;
  std::string message;
  int count = 0;
};

// Makes one connection after the other, so that our own connections do not slow each other down.
class Smoke final : private loop::ErrorSink {
 public:
  explicit Smoke(const SmokeOptions& options)
      : options_(options),
        loop_(*this),
        resolver_(loop_),
        http_(loop_, resolver_),
        deadline_(loop_, [this] { finish(CheckResult::fail(health::FailKind::timeout, timeout_text())); }),
        on_interrupt_(loop_, SIGINT, [this] { interrupt(); }),
        on_terminate_(loop_, SIGTERM, [this] { interrupt(); }),
        shows_progress_(!options.json && client::is_terminal(STDERR_FILENO)) {}

  Result<bool> plan() {
    auto plan = checks::plan_websocket_visit({options_.url, options_.headers, options_.subprotocols},
                                             [this](VisitStep step) { on_step(step); });
    if (!plan) return failure(plan.error().message);
    plan_ = std::move(*plan);
    return true;
  }

  bool passed() {
    for (int i = 0; i < options_.connections && !interrupted_; ++i) visit();
    if (shows_progress_) std::cerr << "\r\x1b[K";
    return !interrupted_ && failures_.empty();
  }

  void print_json() const {
    Json latencies = Json::object();
    for (std::size_t part = 0; part < kParts.size(); ++part) {
      const auto sum = client::summarize(samples_[part]);
      if (!sum) continue;
      latencies[kParts[part]] = {
          {"min", sum->min}, {"median", sum->median}, {"p95", sum->p95}, {"max", sum->max}};
    }
    Json failures = Json::array();
    for (const auto& failed : failures_) {
      failures.push_back({{"count", failed.count}, {"kind", failed.kind}, {"message", failed.message}});
    }
    const Json document{{"url", redact_url(options_.url)}, {"connections", made_},    {"passed", good_},
                        {"failed", made_ - good_},         {"latency_ms", latencies}, {"failures", failures}};
    std::cout << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  }

  void print_text() const {
    const client::Paint paint = client::Paint::for_descriptor(STDOUT_FILENO);
    const bool all = failures_.empty() && !interrupted_;
    std::cout << redact_url(options_.url) << ": "
              << paint(all ? client::Color::good : client::Color::bad,
                       std::to_string(good_) + " of " + std::to_string(made_) + " passed")
              << (interrupted_ ? ", interrupted" : "") << "\n";
    for (const auto& failed : failures_) {
      std::cout << "  " << failed.count << " x " << failed.kind << ": " << client::printable(failed.message)
                << "\n";
    }
    if (good_ > 0) std::cout << "\n" << latency_table().text(paint);
  }

 private:
  client::Table latency_table() const {
    client::Table table;
    table.add({{""},
               {"MIN", client::Color::dim, true},
               {"MEDIAN", client::Color::dim, true},
               {"P95", client::Color::dim, true},
               {"MAX", client::Color::dim, true}});
    for (std::size_t part = 0; part < kParts.size(); ++part) {
      std::vector<client::Cell> row{{kParts[part]}};
      const auto sum = client::summarize(samples_[part]);
      if (!sum) continue;
      for (const double value : {sum->min, sum->median, sum->p95, sum->max}) {
        row.push_back({client::millis_text(value), client::Color::none, true});
      }
      table.add(std::move(row));
    }
    return table;
  }

  void visit() {
    begun_ = last_step_ = loop_.now();
    steps_.clear();
    done_ = false;
    check_ = plan_.make({loop_, resolver_, http_});
    deadline_.start(options_.timeout);
    check_->start(checks::Attempt([this](CheckResult result) { finish(std::move(result)); }),
                  begun_ + options_.timeout);
    if (!done_) loop_.run();
    deadline_.stop();
    check_.reset();
    if (shows_progress_) std::cerr << "\r" << made_ << "/" << options_.connections << std::flush;
  }

  void on_step(VisitStep) {
    const TimePoint now = loop_.now();
    steps_.push_back(to_millis(now - std::exchange(last_step_, now)));
  }

  // Called by the check, its deadline or its exception; the first call counts.
  void finish(CheckResult result) {
    if (std::exchange(done_, true)) return;
    loop_.stop();
    ++made_;
    if (result.verdict == health::Verdict::pass) {
      ++good_;
      for (std::size_t i = 0; i < steps_.size() && i + 1 < kParts.size(); ++i)
        samples_[i].push_back(steps_[i]);
      samples_.back().push_back(to_millis(loop_.now() - begun_));
      return;
    }
    const auto error = result.error.value_or(health::CheckError{});
    const std::string kind(health::to_string(error.kind));
    const std::string message = checks::presentable(error.message, plan_.secrets);
    const auto known = std::find_if(failures_.begin(), failures_.end(), [&](const Failure& other) {
      return other.kind == kind && other.message == message;
    });
    if (known == failures_.end()) {
      failures_.push_back({kind, message, 1});
    } else {
      ++known->count;
    }
  }

  std::string timeout_text() const {
    const char* phase = check_ ? check_->phase() : nullptr;
    return "not finished within " + format_duration(options_.timeout) +
           (phase != nullptr ? std::string(", while ") + phase : "");
  }

  void interrupt() {
    interrupted_ = true;
    loop_.stop();
  }

  void on_exception(const std::string& what) noexcept override {
    finish(CheckResult::fail(health::FailKind::internal, what));
  }

  const SmokeOptions& options_;
  loop::Loop loop_;
  loop::Resolver resolver_;
  loop::HttpClient http_;
  loop::Timer deadline_;
  loop::SignalWatch on_interrupt_;
  loop::SignalWatch on_terminate_;
  const bool shows_progress_;
  checks::CheckPlan plan_;
  std::unique_ptr<checks::Check> check_;
  TimePoint begun_{};
  TimePoint last_step_{};
  bool done_ = false;
  bool interrupted_ = false;
  std::vector<double> steps_;  // of the current connection, in milliseconds
  std::array<std::vector<double>, kParts.size()> samples_;
  std::vector<Failure> failures_;
  int made_ = 0;
  int good_ = 0;
};

}  // namespace

int smoke(const SmokeOptions& options) {
  Smoke smoke(options);
  if (const auto planned = smoke.plan(); !planned) {
    std::cerr << "probegate: " << planned.error().message << "\nTry 'probegate smoke --help'.\n";
    return exit_code::kUsage;
  }
  const bool passed = smoke.passed();
  if (options.json) {
    smoke.print_json();
  } else {
    smoke.print_text();
  }
  return passed ? exit_code::kOk : exit_code::kFailed;
}

}  // namespace probegate::cli
