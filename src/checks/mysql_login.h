// MysqlLogin: opens one session of libmariadb, TLS and its verification included, on a thread of its own.
//
// libmariadb's non-blocking API stands still in poll() for the whole of a TLS handshake, and the check could
// not end that at its deadline: its own thread would be lost to any server that says nothing in the middle of
// one. From here its socket can be shut down. Owns: the thread,
// for as long as it logs in. Destroying it cancels: its socket is shut down, which ends every wait of the
// library at once, and the thread is joined. Thread: constructed and destroyed on the loop's.
#pragma once

#include <mysql.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "checks/mysql_meter.h"
#include "checks/mysql_settings.h"
#include "health/check_result.h"
#include "loop/background_job.h"

namespace probegate::checks {

class MysqlLogin {
 public:
  struct Outcome {
    MysqlSession session;  // ready for queries; null: see error
    std::optional<health::CheckResult> error;
    bool unreachable = false;  // nobody answered at this address; another one may
  };

  // `address` is an IP, unused for a unix socket. `done` is called once, in a later turn of the loop; it may
  // destroy us.
  MysqlLogin(loop::Loop& loop, std::shared_ptr<const MysqlSettings> settings, std::string address,
             std::function<void(Outcome)> done);
  ~MysqlLogin();
  MysqlLogin(const MysqlLogin&) = delete;
  MysqlLogin& operator=(const MysqlLogin&) = delete;

 private:
  Outcome log_in();
  bool wait(int socket, int& status);
  bool lend(int socket);
  void give_back();
  std::optional<std::string> problem(const MYSQL& session);
  void deliver(Outcome outcome);

  const std::shared_ptr<const MysqlSettings> settings_;  // owners: the plan, its checks, their logins
  const std::string address_;
  const std::function<void(Outcome)> done_;
  bool verified_ = false;  // the thread's alone
  std::mutex mutex_;       // of the two below
  int lent_ = -1;  // a descriptor of our own for the library's socket, so that it cannot be another's by now
  bool cancelled_ = false;
  loop::BackgroundJob<Outcome> job_;  // last: it uses all of the above, and is joined
};

// How long until the certificate of the session's server ends; nothing without TLS.
std::optional<Duration> mysql_certificate_left(const MYSQL& session, WallTime now);

}  // namespace probegate::checks
