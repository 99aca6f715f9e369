#include "checks/mysql_login.h"

// Ma_pvio.h requires these macros, as in the library's own build.
#define HAVE_TLS 1
using uchar = unsigned char;
#include <errmsg.h>
#include <fcntl.h>
#include <ma_pvio.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "checks/mysql_errors.h"

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::FailKind;

constexpr unsigned long kLargestPacket = 1024 * 1024;
constexpr int kLookUpMillis = 100;  // poll interval for cancellation, for waits that a shutdown does not wake
constexpr int kMostUnwinding = 16;
// Login methods whose first message is only a hash, because it is sent before the server is verified.
constexpr const char* kNeverThePassword = "mysql_native_password,caching_sha2_password,client_ed25519";

MysqlSession make_session(const MysqlSettings& settings) {
  MysqlSession session = new_mysql_session();
  if (!session) return session;
  const unsigned int no = 0;
  const my_bool yes = 1;
  // Limit of the TLS handshake, if nothing else ends it.
  const auto limit =
      static_cast<unsigned int>(std::chrono::ceil<std::chrono::seconds>(settings.timeout).count() + 1);
  mysql_options(session.get(), MYSQL_OPT_NONBLOCK, nullptr);
  mysql_options(session.get(), MYSQL_OPT_CONNECT_TIMEOUT, &limit);
  mysql_options(session.get(), MYSQL_OPT_LOCAL_INFILE,
                &no);  // or the server could read local files
  mysql_options(session.get(), MYSQL_OPT_MAX_ALLOWED_PACKET, &kLargestPacket);
  mysql_options(session.get(), MYSQL_SET_CHARSET_NAME, "utf8mb4");
  mysql_optionsv(session.get(), MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "probegate");
  if (!settings.tls) {
    // Forbids login methods that send the password itself, as it would be in plain text. A unix socket does
    // not leave this machine.
    if (!settings.endpoint.is_unix())
      mysql_optionsv(session.get(), MARIADB_OPT_RESTRICTED_AUTH, kNeverThePassword);
    return session;
  }
  if (settings.tls->cert_file) {
    mysql_options(session.get(), MYSQL_OPT_SSL_CERT, settings.tls->cert_file->c_str());
    mysql_options(session.get(), MYSQL_OPT_SSL_KEY, settings.tls->key_file->c_str());
  }
  mysql_options(session.get(), MYSQL_OPT_SSL_ENFORCE, &yes);
  if (settings.tls->verify) {
    mysql_options(session.get(), MYSQL_OPT_SSL_CA, settings.authorities.c_str());
    mysql_optionsv(session.get(), MARIADB_OPT_RESTRICTED_AUTH, kNeverThePassword);
  }
  return session;
}

int start(MYSQL** connected, MYSQL* session, const MysqlSettings& settings, const std::string& address) {
  const auto& endpoint = settings.endpoint;
  return mysql_real_connect_start(connected, session, endpoint.is_unix() ? nullptr : address.c_str(),
                                  settings.user.c_str(), settings.password.c_str(),
                                  settings.database.empty() ? nullptr : settings.database.c_str(),
                                  endpoint.port, endpoint.is_unix() ? endpoint.path.c_str() : nullptr, 0);
}

// Null without TLS, and until the library has started the handshake.
const SSL* tls_session(const MYSQL& session) {
  const auto* channel = session.net.pvio;
  const auto* tls = channel != nullptr ? channel->ctls : nullptr;
  return tls != nullptr ? static_cast<const SSL*>(tls->ssl) : nullptr;
}

}  // namespace

MysqlLogin::MysqlLogin(loop::Loop& loop, std::shared_ptr<const MysqlSettings> settings, std::string address,
                       std::function<void(Outcome)> done)
    : settings_(std::move(settings)),
      address_(std::move(address)),
      done_(std::move(done)),
      job_(
          loop, "mysql login", [this] { return log_in(); },
          [this](Outcome outcome) { deliver(std::move(outcome)); }) {}

MysqlLogin::~MysqlLogin() {
  if (!job_.joined()) {  // not finished: end the wait by shutting down the socket
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (lent_ >= 0) ::shutdown(lent_, SHUT_RDWR);
  }
  job_.join();
  give_back();
}

void MysqlLogin::deliver(Outcome outcome) {
  job_.join();
  const auto done = done_;
  done(std::move(outcome));  // may destroy this object
}

MysqlLogin::Outcome MysqlLogin::log_in() {
  auto session = make_session(*settings_);
  if (!session) return {nullptr, CheckResult::inconclusive("out of memory")};
  MYSQL* connected = nullptr;
  int status = start(&connected, session.get(), *settings_, address_);
  std::optional<std::string> wrong;
  while (!(wrong = problem(*session)) && status != 0) {
    if (!wait(static_cast<int>(mysql_get_socket(session.get())), status)) break;
    status = mysql_real_connect_cont(&connected, session.get(), status);
  }
  if (status != 0) {  // interrupted; it leaks unless it is continued with a timeout until it ends
    ::shutdown(static_cast<int>(mysql_get_socket(session.get())), SHUT_RDWR);
    for (int i = 0; i < kMostUnwinding && status != 0; ++i) {
      status = mysql_real_connect_cont(&connected, session.get(), MYSQL_WAIT_TIMEOUT);
    }
  }
  if (const auto problem = meter_of(*session).problem()) {
    return {nullptr, CheckResult::fail(FailKind::protocol, *problem)};
  }
  if (wrong) return {nullptr, CheckResult::fail(FailKind::tls, *wrong)};
  if (connected != nullptr) return {std::move(session), std::nullopt};
  const unsigned code = mysql_errno(session.get());
  const bool unreachable = code == CR_CONN_HOST_ERROR || code == CR_CONNECTION_ERROR;
  return {nullptr, mysql_failure(code, mysql_error(session.get())), unreachable};
}

// False: cancelled. Otherwise `status` has the events that occurred.
bool MysqlLogin::wait(int socket, int& status) {
  pollfd ready{socket, 0, 0};
  if ((status & MYSQL_WAIT_READ) != 0) ready.events |= POLLIN;
  if ((status & MYSQL_WAIT_WRITE) != 0) ready.events |= POLLOUT;
  do {
    if (!lend(socket)) return false;
  } while (::poll(&ready, 1, kLookUpMillis) == 0);
  const int wanted = status & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE);
  const bool broken = (ready.revents & ~(POLLIN | POLLOUT)) != 0;  // the library will find the error itself
  status = broken ? wanted : 0;
  if ((ready.revents & POLLIN) != 0) status |= MYSQL_WAIT_READ;
  if ((ready.revents & POLLOUT) != 0) status |= MYSQL_WAIT_WRITE;
  return true;
}

bool MysqlLogin::lend(int socket) {
  const std::lock_guard lock(mutex_);
  if (!cancelled_ && lent_ < 0) lent_ = ::fcntl(socket, F_DUPFD_CLOEXEC, 0);
  return !cancelled_;
}

void MysqlLogin::give_back() {
  if (lent_ >= 0) ::close(lent_);
}

// The library cannot verify the name, because it only knows the address, and would continue in plain text
// with a server without TLS. At most its first message has been sent by now.
std::optional<std::string> MysqlLogin::problem(const MYSQL& session) {
  const bool greeted = session.server_version != nullptr;
  if (!settings_->tls || verified_ || !greeted) return std::nullopt;
  if (tls_session(session) == nullptr) return "the server does not offer TLS";
  if (!loop::handshake_done(tls_session(session))) return std::nullopt;
  verified_ = true;
  return settings_->tls->verify ? loop::peer_problem(tls_session(session), settings_->tls->server_name)
                                : std::nullopt;
}

std::optional<Duration> mysql_certificate_left(const MYSQL& session, WallTime now) {
  return loop::peer_certificate_left(tls_session(session), now);
}

}  // namespace probegate::checks
