// Check: polls one dependency. Read this file before writing a new check type.
//
// A check is an object that can make one attempt at a time. It has its own thread and loop, may keep its
// connection between attempts, and reports through Attempt. The runner does everything else: schedule,
// deadline, rise and fall, logs, metrics. So a check has no timeout, does not retry and does not decide
// whether the dependency is up.
//
// Errors: an exception thrown anywhere in a check's code, also in callbacks of its loop objects, becomes
// the result `internal`. When the deadline passes, the check object is destroyed and a new one is made, so
// a destructor must release everything at once without blocking (loop objects do: they detach what libuv
// still holds). If the code does not return, the check loses its attempt and its thread; other checks are
// not affected. Thread: made, used and destroyed on the check's thread; state shared by several checks
// must be thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/redaction.h"
#include "config/config.h"
#include "health/check_result.h"
#include "loop/loop.h"

namespace probegate::loop {
class Resolver;
class HttpClient;
}  // namespace probegate::loop

namespace probegate::checks {

// Reports the result of one attempt, once. Copies share the report; a second report, or one after
// the deadline, is ignored and counted. Reporting never runs the runner's code: it sends a message
// to the runner's loop.
class Attempt {
 public:
  using Report = std::function<void(health::CheckResult)>;
  Attempt() = default;
  explicit Attempt(Report report) : report_(std::make_shared<Report>(std::move(report))) {}

  void finish(health::CheckResult result) const {
    if (report_) (*report_)(std::move(result));
  }
  void pass() const { finish(health::CheckResult::pass()); }
  void fail(health::FailKind kind, std::string message) const {
    finish(health::CheckResult::fail(kind, std::move(message)));
  }
  explicit operator bool() const { return report_ != nullptr; }

 private:
  std::shared_ptr<Report> report_;  // owners: the copies of this Attempt
};

class Check {
 public:
  virtual ~Check() noexcept(false) {}  // may throw; only CheckThread destroys checks
  // Begins one attempt, which ends now or in a later iteration of the loop. Never called during an attempt.
  // `deadline` is for information only, such as for a statement timeout.
  virtual void start(Attempt attempt, TimePoint deadline) = 0;
  // The current phase of the attempt, for the message of a timeout: "connecting". May be null.
  virtual const char* phase() const noexcept { return nullptr; }
  // Whether the next attempt uses the existing session without a login.
  virtual bool keeps_session() const noexcept { return false; }
};

// The objects a check may use. They outlive every check.
struct CheckContext {
  loop::Loop& loop;
  loop::Resolver& resolver;
  loop::HttpClient& http;
  // Between attempts: the cause of the last failure has changed, so start the next attempt at once and reset
  // the back-off after refused logins. During an attempt: only reset the back-off. May be empty.
  std::function<void()> retry = {};
  // Call it before a login during an attempt, after a kept session was lost. True: the secrets have changed,
  // and a new check object continues this attempt; this object must do nothing more. May be empty.
  std::function<bool()> begin_anew = {};
};

using MakeCheck = std::function<std::unique_ptr<Check>(const CheckContext&)>;

// A check read from its configuration: a factory for the object, and the secrets to mask.
struct CheckPlan {
  MakeCheck make;
  Secrets secrets;     // masked in every message of this check
  std::string target;  // the address to show, without user-info: "127.0.0.1:5432/app"
};

// Reads the keys of one type from spec.fields. Problems are reported there; the plan is then not used.
using ReadCheck = CheckPlan (*)(const config::CheckSpec& spec, const config::Config& config);

}  // namespace probegate::checks
