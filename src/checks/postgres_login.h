// PostgresLogin: opens a session from host names and credentials.
//
// All hosts are resolved and their addresses tried in order, like in libpq: the next one is tried if there is
// no answer, if the server is starting, or if it does not match target_session_attrs; a refused login ends
// the search. libpq also accepts the whole list, but then a first address that drops packets uses the time of
// all others: here each gets a share of the remaining time.
//
// Pitfalls of libpq, all observed: it resolves names itself and blocks for ten seconds, so every host has its
// `hostaddr`. PQconnectPoll may replace its socket under the same number, so the watch is removed before
// every call and created again after it. Notices go to stderr unless handled.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checks/check.h"
#include "checks/metered_socket.h"
#include "checks/postgres_settings.h"
#include "loop/fd_watch.h"
#include "loop/resolver.h"
#include "loop/timer.h"

namespace probegate::checks {

struct FinishPostgres {
  void operator()(PGconn* session) const noexcept { PQfinish(session); }  // does not block
};
using PostgresSession = std::unique_ptr<PGconn, FinishPostgres>;

class PostgresLogin {
 public:
  class Observer {
   public:
    // Each is called at most once, possibly before start() returns. The login must not be destroyed in them.
    virtual void on_login(PostgresSession session) = 0;
    virtual void on_login_failed(health::CheckResult result) = 0;

   protected:
    ~Observer() = default;
  };

  // `meter` receives the object in front of the session's socket, and must outlive the session.
  PostgresLogin(const CheckContext& context, const PostgresSettings& settings, TimePoint deadline,
                std::unique_ptr<MeteredSocket>& meter, Observer& observer);
  PostgresLogin(const PostgresLogin&) = delete;
  PostgresLogin& operator=(const PostgresLogin&) = delete;

  void start();
  const char* phase() const noexcept { return phase_; }

 private:
  struct Try {
    std::size_t host;
    std::string address;  // empty: a unix socket
    std::string wanted;   // target_session_attrs
  };

  void on_answer(std::size_t host, loop::Resolver::Answer answer);
  void resolved_enough();
  void connect();
  void try_next();
  void poll();
  bool meter();
  void watch(bool read, bool write);
  void on_patience();
  void on_failed(health::CheckResult result);
  void give_up();

  const CheckContext context_;
  const PostgresSettings& settings_;
  const TimePoint deadline_;
  std::unique_ptr<MeteredSocket>& meter_;
  Observer& observer_;
  const char* phase_ = "resolving the name";
  std::vector<std::unique_ptr<loop::Resolver::Query>> queries_;
  std::vector<std::vector<loop::Address>> addresses_;  // of each host
  std::size_t unresolved_ = 0;
  bool wait_for_all_names_ = true;
  std::vector<Try> tries_;
  std::size_t next_ = 0;  // index of the next try
  Duration share_{};      // time for the current try
  std::vector<health::CheckError> failures_;
  PostgresSession session_;
  std::optional<loop::FdWatch> watch_;  // destroyed before the session's socket
  loop::Timer patience_;
};

}  // namespace probegate::checks
