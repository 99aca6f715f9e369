// Check: polls one dependency. The page to read before writing a new one.
//
// A check is an object that can make one attempt at a time. It lives on a thread and a loop of its own, may
// keep its connection between attempts, and reports through Attempt. The runner owns everything else: when to
// run, the deadline, rise and fall, logs, metrics. So a check never times out by itself, never retries a
// failure, never judges.
//
// Containment: exceptions thrown anywhere in a check's code, also in callbacks of the loop objects it made,
// become the result `internal`. When the deadline passes, the runner has the check object destroyed and makes
// a new one, so a destructor must release everything at once and without blocking (loop objects do: they
// orphan what libuv still holds). Code that does not return costs this check its attempt and its thread, and
// nobody else anything. Made, used and destroyed on that thread; what several checks share must be safe for
// threads.
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

// The right to report one result, once. Copies share that right; reporting again, or after the deadline, is
// ignored and counted. Reporting never runs the runner's code: the result is a message to its loop.
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
  virtual ~Check() noexcept(false) {}  // may throw, as anything here may; only CheckThread destroys checks
  // Begins one attempt; finishes it now or in a later turn of the loop. Never called while one is under way.
  // `deadline` is for the check's information only (a statement timeout, say).
  virtual void start(Attempt attempt, TimePoint deadline) = 0;
  // What the attempt under way is busy with, for the message of a timeout: "connecting". May be null.
  virtual const char* phase() const noexcept { return nullptr; }
  // Whether the next attempt goes on with a session that is there, and needs no login.
  virtual bool keeps_session() const noexcept { return false; }
};

// What a check may use. References outlive every check.
struct CheckContext {
  loop::Loop& loop;
  loop::Resolver& resolver;
  loop::HttpClient& http;
  // Between attempts: what made the last one fail has changed, so the next one may come at once, and what was
  // learnt about refused logins is void. During an attempt only the latter. May be empty.
  std::function<void()> retry = {};
  // To be asked before a login in the middle of an attempt, after a kept session turned out to be gone. True:
  // the secrets have changed, and this attempt goes on with another object; nothing is left to do for this
  // one. May be empty.
  std::function<bool()> begin_anew = {};
};

using MakeCheck = std::function<std::unique_ptr<Check>(const CheckContext&)>;

// A check type read from its configuration: how to make the object, and what must never be shown.
struct CheckPlan {
  MakeCheck make;
  Secrets secrets;     // masked in every message of this check
  std::string target;  // the address for people, without user-info: "127.0.0.1:5432/app"
};

// Reads a type's own keys from spec.fields; problems are reported there and the plan is then not used.
using ReadCheck = CheckPlan (*)(const config::CheckSpec& spec, const config::Config& config);

}  // namespace probegate::checks
