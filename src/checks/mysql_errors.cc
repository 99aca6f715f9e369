#include "checks/mysql_errors.h"

#include <errmsg.h>
#include <mysqld_error.h>

namespace probegate::checks {

using health::CheckResult;
using health::FailKind;

bool is_library_error(unsigned code) {
  return (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR) || code >= CER_MIN_ERROR;
}

CheckResult mysql_failure(unsigned code, const std::string& text) {
  std::string told = text + " (" + std::to_string(code) + ")";
  if (code == CR_PLUGIN_NOT_ALLOWED) told += ": it may send the password in plain text";
  switch (code) {
    case ER_ACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
    case ER_HOST_NOT_PRIVILEGED:
    case ER_MUST_CHANGE_PASSWORD:
    case ER_MUST_CHANGE_PASSWORD_LOGIN:
    case 3118:  // MySQL's ER_ACCOUNT_HAS_BEEN_LOCKED
    case ER_ACCOUNT_HAS_BEEN_LOCKED:
    case CR_PLUGIN_NOT_ALLOWED:  // it might send the password to a server that is not verified yet
    case CR_ERR_LOAD_PLUGIN:
    case CR_AUTH_PLUGIN_CANNOT_LOAD: return CheckResult::fail(FailKind::auth, told);
    case ER_DBACCESS_DENIED_ERROR:
    case ER_BAD_DB_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_COLUMNACCESS_DENIED_ERROR:
    case ER_SPECIFIC_ACCESS_DENIED_ERROR: return CheckResult::fail(FailKind::config, told);
    case ER_CON_COUNT_ERROR:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_USER_LIMIT_REACHED:
    case ER_SERVER_SHUTDOWN:
    case ER_CONNECTION_KILLED:
    case ER_HOST_IS_BLOCKED:  // the server's message names the remedy: mariadb-admin flush-hosts
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case CR_SERVER_GONE_ERROR:
    case CR_ERR_NET_READ:
    case CR_ERR_NET_WRITE:
    case CR_SERVER_LOST: return CheckResult::fail(FailKind::connect, told);
    case ER_STATEMENT_TIMEOUT:
    case 3024: return CheckResult::fail(FailKind::timeout, told);  // MySQL's ER_QUERY_TIMEOUT
    case CR_SSL_CONNECTION_ERROR: return CheckResult::fail(FailKind::tls, told);
    case ER_HANDSHAKE_ERROR:
    case ER_NET_PACKETS_OUT_OF_ORDER:
    case CR_VERSION_ERROR:
    case CR_SERVER_HANDSHAKE_ERR:
    case CR_COMMANDS_OUT_OF_SYNC:
    case CR_NET_PACKET_TOO_LARGE:
    case CR_MALFORMED_PACKET: return CheckResult::fail(FailKind::protocol, told);
    case CR_SOCKET_CREATE_ERROR:
    case CR_IPSOCK_ERROR:
    case CR_OUT_OF_MEMORY: return CheckResult::inconclusive(told);
    default: return CheckResult::fail(FailKind::answer, told);
  }
}

}  // namespace probegate::checks
