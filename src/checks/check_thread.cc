#include "checks/check_thread.h"

#include <utility>

#include "loop/http_client.h"
#include "loop/resolver.h"
#include "loop/timer.h"

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::FailKind;

// Measured need of TLS, SCRAM and JSON: about 60 KiB. Only used pages are resident.
constexpr std::size_t kStack = 1024 * 1024;

struct Command {
  enum class Kind { start, expire, cancel, end };
  Kind kind;
  std::uint64_t attempt = 0;
  std::shared_ptr<Ticket> ticket = {};
  std::shared_ptr<const MakeCheck> make = {};
  TimePoint deadline{};
};

}  // namespace

// Everything except the commands runs on the thread. It is the error sink of all loop objects that
// the check creates.
class CheckThread::Body final : public loop::ErrorSink {
 public:
  Body(std::uint64_t id, std::shared_ptr<ThreadReports> reports) : id_(id), reports_(std::move(reports)) {}

  void run() noexcept {
    ThreadReport end{.kind = ThreadReport::Kind::ended, .thread = id_};
    try {
      turn();
    } catch (const std::exception& e) {
      end.what = e.what();
    }
    make_.reset();
    report(std::move(end));
  }

  loop::Channel<Command> commands;

 private:
  // The loop objects that the check uses.
  struct Place {
    explicit Place(Body& body)
        : loop(body), http(loop, resolver), after_crash(loop, [&body] { std::ignore = body.discard(); }) {}
    loop::Loop loop;
    loop::Resolver resolver{loop};
    loop::HttpClient http;
    loop::Timer after_crash;  // deferred: the check's code is still on the stack when it throws
  };

  struct Leave {
    ~Leave() {
      body.commands.close();
      std::ignore = body.discard();
      body.place_ = nullptr;
    }
    Body& body;
  };

  void turn() {
    Place place(*this);
    place_ = &place;
    const Leave leave{*this};
    commands.open(place.loop, [this] { obey(); });
    place.loop.run();
  }

  void obey() {
    for (auto& command : commands.take_all()) {
      switch (command.kind) {
        case Command::Kind::start: start(command); break;
        case Command::Kind::expire: expire(command.attempt); break;
        case Command::Kind::cancel: std::ignore = discard(); break;
        case Command::Kind::end: return place_->loop.stop();
      }
    }
  }

  void start(Command& command) {
    const bool under_way = ticket_ && !ticket_->reported();
    if (crashed_ || under_way) std::ignore = discard();
    attempt_ = command.attempt;
    ticket_ = std::move(command.ticket);
    make_ = std::move(command.make);
    const Attempt attempt([id = id_, number = attempt_, ticket = ticket_, reports = reports_,
                           &loop = place_->loop](CheckResult result) {
      if (!ticket->take_to_report()) {
        reports->ignored.fetch_add(1, std::memory_order_relaxed);
        return;
      }
      reports->channel.put({.kind = ThreadReport::Kind::result,
                            .thread = id,
                            .attempt = number,
                            .at = loop.now(),
                            .result = std::move(result)});
    });
    place_->loop.enter(this, [&] {
      if (!check_) check_ = (*make_)({place_->loop, place_->resolver, place_->http, [this] { retry(); }});
      check_->start(attempt, command.deadline);
    });
  }

  void expire(std::uint64_t attempt) {
    if (attempt != attempt_ || !ticket_ || ticket_->reported()) return;
    ticket_->give_up();  // unless the runner already did
    const char* const phase = check_ ? check_->phase() : nullptr;
    ThreadReport answer{.kind = ThreadReport::Kind::expired, .thread = id_, .attempt = attempt};
    if (phase != nullptr) answer.phase = phase;
    answer.what = discard();
    report(std::move(answer));
  }

  void on_exception(const std::string& what) noexcept override {
    if (ticket_) ticket_->take_to_report();  // the attempt can report nothing else
    crashed_ = true;
    place_->after_crash.start(Duration::zero());
    ThreadReport crash{.kind = ThreadReport::Kind::crashed, .thread = id_, .attempt = attempt_};
    crash.at = place_->loop.now();
    try {
      crash.result = CheckResult::fail(FailKind::internal, "the check failed: " + what);
    } catch (...) {
      crash.result = CheckResult::fail(FailKind::internal, "out of memory");  // needs no allocation
    }
    report(std::move(crash));
  }

  void retry() { report({.kind = ThreadReport::Kind::retry, .thread = id_}); }

  // Destroys the check object; returns what its destructor threw, if anything.
  std::string discard() {
    crashed_ = false;
    if (ticket_) ticket_->give_up();  // otherwise a copy of the attempt could report for the destroyed object
    ticket_.reset();
    place_->after_crash.stop();
    Check* const check = check_.release();
    try {
      delete check;
      return {};
    } catch (const std::exception& e) {
      return e.what();
    } catch (...) {
      return "an exception of unknown type";
    }
  }

  // Without memory for the report, the runner's own deadline ends the attempt.
  void report(ThreadReport&& report) noexcept {
    try {
      reports_->channel.put(std::move(report));
    } catch (...) {
    }
  }

  const std::uint64_t id_;
  const std::shared_ptr<ThreadReports> reports_;  // owners: the runner, its threads, attempts
  Place* place_ = nullptr;
  std::unique_ptr<Check> check_;
  std::uint64_t attempt_ = 0;       // the latest
  std::shared_ptr<Ticket> ticket_;  // of the latest attempt, until the check object is destroyed
  std::shared_ptr<const MakeCheck> make_;
  bool crashed_ = false;  // the check object must not be used again
};

CheckThread::CheckThread(std::uint64_t id, const std::string& name, std::shared_ptr<ThreadReports> reports)
    : id_(id),
      body_(std::make_shared<Body>(id, std::move(reports))),
      thread_(
          "check-" + name, [body = body_] { body->run(); }, kStack) {}

CheckThread::~CheckThread() {
  try {
    end();
  } catch (...) {
    // No memory for the message: the thread stays idle.
  }
}

void CheckThread::start(std::uint64_t attempt, std::shared_ptr<Ticket> ticket,
                        std::shared_ptr<const MakeCheck> make, TimePoint deadline) {
  body_->commands.put({Command::Kind::start, attempt, std::move(ticket), std::move(make), deadline});
}

void CheckThread::expire(std::uint64_t attempt) { body_->commands.put({Command::Kind::expire, attempt}); }

void CheckThread::cancel() { body_->commands.put({Command::Kind::cancel}); }

void CheckThread::end() { body_->commands.put({Command::Kind::end}); }

}  // namespace probegate::checks
