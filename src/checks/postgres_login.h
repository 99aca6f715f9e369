// PostgresLogin: from names and a password to a session that takes queries.
//
// Every host is resolved, and their addresses are tried one after another, as libpq does it: on to the next
// when nobody answers, when the server is starting, or when it is not of the kind that target_session_attrs
// asks for; a server that refuses the login ends it. libpq could be given the whole list, but would then let
// a black-holed first address eat the time of all others: here each gets its share of what is left.
//
// Traps of libpq, each observed: it resolves names by itself and blocks for ten seconds, so every host comes
// with its `hostaddr`; its socket may be replaced inside PQconnectPoll under the same number, so the watch is
// dropped before every call and made anew after it; notices go to stderr unless taken.
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
  void operator()(PGconn* session) const noexcept { PQfinish(session); }  // says goodbye, and does not block
};
using PostgresSession = std::unique_ptr<PGconn, FinishPostgres>;

class PostgresLogin {
 public:
  class Observer {
   public:
    // Both come once at most, and may come before start() returns. The login must not be destroyed in them.
    virtual void on_login(PostgresSession session) = 0;
    virtual void on_login_failed(health::CheckResult result) = 0;

   protected:
    ~Observer() = default;
  };

  // `meter` is filled with what then stands before the session's socket, and must outlive the session.
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
  std::size_t next_ = 0;  // of the tries
  Duration share_{};      // of the time, for the try under way
  std::vector<health::CheckError> failures_;
  PostgresSession session_;
  std::optional<loop::FdWatch> watch_;  // after the session: it must be gone before the session's socket
  loop::Timer patience_;
};

}  // namespace probegate::checks
