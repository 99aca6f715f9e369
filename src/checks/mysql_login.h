// MysqlLogin: opens one libmariadb session, including TLS and its verification, on its own thread.
//
// libmariadb's non-blocking API blocks in poll() during the whole TLS handshake, so the check could not end
// it at its deadline: any server that stops responding during the handshake would block the check's thread.
// From another thread the socket can be shut down. Owns: the thread, during the login. Destroying the object
// cancels the login: the socket is shut down, which ends every wait of the library at once, and the thread is
// joined. Thread: constructed and destroyed on the loop's thread.
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
    bool unreachable = false;  // no answer from this address; another one may answer
  };

  // `address` is an IP address, unused for a unix socket. `done` is called once, in a later iteration of the
  // loop; it may destroy this object.
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
  bool verified_ = false;  // used by the thread only
  std::mutex mutex_;       // guards the next two members
  int lent_ = -1;          // our own duplicate of the library's socket, so that its number cannot be reused
  bool cancelled_ = false;
  loop::BackgroundJob<Outcome> job_;  // declared last: it uses the members above and is joined first
};

// The time until the server's certificate expires; empty without TLS.
std::optional<Duration> mysql_certificate_left(const MYSQL& session, WallTime now);

}  // namespace probegate::checks
