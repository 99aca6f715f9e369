// The mysql check: MariaDB and MySQL through one kept session of libmariadb's non-blocking API.
//
// Traps of libmariadb: it resolves names by itself and blocks, so it is given an address (and "localhost" is
// TCP like any other name; a socket is asked for by its path); given an address it cannot verify a name, so
// that is done here, on its TLS session, before anything follows the login's first message, which holds a
// hash and never the password; it may close or replace its socket in any call, so the watch is dropped before
// each; an operation given up halfway leaks unless it is told that time is up and run to its end. Login
// methods other than the oldest are loaded as plugins from files, which is why a static program has none of
// this.
#include <mysql.h>

// What ma_pvio.h wants to have been defined before, as in the library's own build.
#define HAVE_TLS 1
using uchar = unsigned char;
#include <errmsg.h>
#include <ma_pvio.h>
#include <mysqld_error.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "checks/mysql_errors.h"
#include "checks/mysql_settings.h"
#include "checks/presentable.h"
#include "checks/registry.h"
#include "checks/transport.h"
#include "loop/fd_watch.h"
#include "loop/resolver.h"

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::FailKind;
using Settings = MysqlSettings;

constexpr unsigned long kLargestPacket = 1024 * 1024;
constexpr std::size_t kMostRows = 1000;  // of a query without LIMIT; the first row is all we want
constexpr int kMostUnwinding = 16;
// Login methods whose first message is a hash: it leaves before the server has been verified.
constexpr const char* kNeverThePassword = "mysql_native_password,caching_sha2_password,client_ed25519";

struct Close {
  void operator()(MYSQL* session) const noexcept { mysql_close(session); }
  void operator()(MYSQL_RES* result) const noexcept { mysql_free_result(result); }
};

// What one attempt brought.
struct Answers {
  std::vector<bool> found;           // of the tables
  std::string read_only;             // the variables that are on
  std::optional<std::string> value;  // first field of the first row of the query
  std::size_t rows = 0;              // of the query
  std::optional<CheckResult> error;
};

class MysqlCheck final : public Check {
 public:
  MysqlCheck(const CheckContext& context, std::shared_ptr<const Settings> settings)
      : context_(context), settings_(std::move(settings)) {}
  ~MysqlCheck() override { drop(); }

  void start(Attempt attempt, TimePoint) override {
    attempt_ = std::move(attempt);
    answers_ = {};
    answers_.found.resize(settings_->tables.size());
    reused_ = session_ != nullptr;
    if (!reused_) return resolve();
    questions_ = questions(false);
    proceed(ask());
  }

  const char* phase() const noexcept override {
    if (query_) return "resolving the name";
    return step_ == Step::connect ? "connecting" : "waiting for the answer to the query";
  }

 private:
  enum class Step { connect, query, row };
  enum class Subject { session, tables, role, query };
  struct Question {
    Subject subject;
    std::string sql;
  };
  // What a step of the library says: what it waits for, 0 for done; nothing once the attempt is over.
  using Status = std::optional<int>;

  void resolve() {
    step_ = Step::connect;
    query_ = context_.resolver.resolve(settings_->endpoint, [this](loop::Resolver::Answer answer) {
      query_.reset();
      if (!answer) return attempt_.fail(FailKind::resolve, answer.error().message);
      addresses_ = *std::move(answer);
      next_address_ = 0;
      proceed(connect());
    });
  }

  Status connect() {
    step_ = Step::connect;
    verified_ = false;
    session_.reset(mysql_init(nullptr));
    if (!session_) return finish(CheckResult::inconclusive("out of memory"));
    MYSQL* session = session_.get();
    const unsigned int no = 0;
    const my_bool yes = 1;
    mysql_options(session, MYSQL_OPT_NONBLOCK, nullptr);
    mysql_options(session, MYSQL_OPT_LOCAL_INFILE, &no);  // or a server could ask us for any file
    mysql_options(session, MYSQL_OPT_MAX_ALLOWED_PACKET, &kLargestPacket);
    mysql_options(session, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(session, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "probegate");
    if (settings_->tls) {
      mysql_options(session, MYSQL_OPT_SSL_ENFORCE, &yes);
      if (settings_->tls->verify) {
        mysql_options(session, MYSQL_OPT_SSL_CA, settings_->authorities.c_str());
        mysql_optionsv(session, MARIADB_OPT_RESTRICTED_AUTH, kNeverThePassword);
      }
    }
    const auto& endpoint = settings_->endpoint;
    const std::string address = addresses_[next_address_++].ip();
    return mysql_real_connect_start(&connected_, session, endpoint.is_unix() ? nullptr : address.c_str(),
                                    settings_->user.c_str(), settings_->password.c_str(),
                                    settings_->database.empty() ? nullptr : settings_->database.c_str(),
                                    endpoint.port, endpoint.is_unix() ? endpoint.path.c_str() : nullptr, 0);
  }

  void proceed(Status status) {
    while (status) {
      if (auto problem = certificate_problem()) {
        std::ignore = finish(*std::move(problem), *status != 0);
        return;
      }
      if (*status != 0) return watch(*status);
      switch (step_) {
        case Step::connect: status = after_connect(); break;
        case Step::query: status = after_query(); break;
        case Step::row: status = after_row(); break;
      }
    }
  }

  int resume(int events) {
    switch (step_) {
      case Step::connect: return mysql_real_connect_cont(&connected_, session_.get(), events);
      case Step::query: return mysql_real_query_cont(&query_failed_, session_.get(), events);
      case Step::row: return mysql_fetch_row_cont(&row_, result_.get(), events);
    }
    return 0;
  }

  Status after_connect() {
    if (connected_ != nullptr) {
      questions_ = questions(true);
      return ask();
    }
    const unsigned code = mysql_errno(session_.get());
    const bool unreachable = code == CR_CONN_HOST_ERROR || code == CR_CONNECTION_ERROR;
    if (unreachable && next_address_ < addresses_.size()) return connect();
    return finish(mysql_failure(code, mysql_error(session_.get())), false);
  }

  std::vector<Question> questions(bool new_session) {
    std::vector<Question> list;
    if (new_session) list.push_back({Subject::session, session_settings()});
    if (!settings_->tables.empty()) list.push_back({Subject::tables, tables_query()});
    if (settings_->writable) {
      list.push_back({Subject::role,
                      "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'super_read_only', "
                      "'innodb_read_only') AND Value NOT IN ('OFF', '0')"});
    }
    if (settings_->query || (settings_->tables.empty() && !settings_->writable)) {
      list.push_back({Subject::query, settings_->query.value_or("SELECT 1")});
    }
    return list;
  }

  // The session is ours alone. What we ask writes nothing, and ends a little before our own deadline does.
  std::string session_settings() {
    const auto limit =
        std::max<std::int64_t>(1, std::chrono::floor<Millis>(settings_->timeout * 9 / 10).count());
    if (mariadb_connection(session_.get()) == 0) {
      return "SET SESSION transaction_read_only = 1, max_execution_time = " + std::to_string(limit);
    }
    return "SET SESSION tx_read_only = 1, max_statement_time = " + std::to_string(limit) + " / 1000";
  }

  // One lookup for each, as only a comparison with constants spares the server a walk through all its tables.
  std::string tables_query() {
    std::string sql;
    for (std::size_t i = 0; i < settings_->tables.size(); ++i) {
      const auto& table = settings_->tables[i];
      sql += (i == 0 ? "" : " UNION ALL ") + std::string("SELECT ") + std::to_string(i) +
             ", TABLE_SCHEMA, TABLE_NAME, @@lower_case_table_names FROM information_schema.TABLES"
             " WHERE TABLE_SCHEMA = " +
             literal(table.schema) + " AND TABLE_NAME = " + literal(table.name);
    }
    return sql;
  }

  std::string literal(const std::string& text) {
    std::string escaped(2 * text.size() + 1, '\0');
    escaped.resize(mysql_real_escape_string(session_.get(), escaped.data(), text.data(), text.size()));
    return "'" + escaped + "'";
  }

  Status ask() {
    step_ = Step::query;
    const std::string& sql = questions_.front().sql;
    return mysql_real_query_start(&query_failed_, session_.get(), sql.data(), sql.size());
  }

  Status ask_next() {
    questions_.erase(questions_.begin());
    return questions_.empty() ? finish(judge()) : ask();
  }

  Status after_query() {
    if (query_failed_ != 0) return after_error();
    result_.reset(mysql_use_result(session_.get()));
    if (result_) return fetch();
    return mysql_errno(session_.get()) != 0 ? after_error() : ask_next();
  }

  Status fetch() {
    step_ = Step::row;
    return mysql_fetch_row_start(&row_, result_.get());
  }

  Status after_row() {
    if (row_ != nullptr) {
      take_row();
      if (answers_.rows <= kMostRows) return fetch();
      return finish(judge(), true);  // the rest would have to be read to its end
    }
    if (mysql_errno(session_.get()) != 0) return after_error();
    result_.reset();
    return ask_next();
  }

  void take_row() {
    const unsigned long* sizes = mysql_fetch_lengths(result_.get());
    const unsigned columns = mysql_num_fields(result_.get());
    const auto field = [&](unsigned i) {
      return i < columns && row_[i] != nullptr ? std::string(row_[i], sizes[i]) : std::string();
    };
    switch (questions_.front().subject) {
      case Subject::session: return;
      case Subject::tables: {
        const auto i = parse_decimal<std::size_t>(field(0));
        const auto& wanted = settings_->tables.at(i.value_or(settings_->tables.size()));
        // information_schema compares without regard to case, where the server itself may not.
        const bool exact = field(3) == "0";
        const auto same = [&](const std::string& a, const std::string& b) {
          return exact ? a == b : iequals(a, b);
        };
        if (same(field(1), wanted.schema) && same(field(2), wanted.name)) answers_.found[*i] = true;
        return;
      }
      case Subject::role: answers_.read_only += (answers_.read_only.empty() ? "" : ", ") + field(0); return;
      case Subject::query:
        if (answers_.rows++ == 0 && columns > 0 && row_[0] != nullptr) answers_.value = field(0);
        return;
    }
  }

  Status after_error() {
    const unsigned code = mysql_errno(session_.get());
    const std::string text = mysql_error(session_.get());
    const bool server_spoke =
        code < CR_MIN_ERROR && code != ER_SERVER_SHUTDOWN && code != ER_CONNECTION_KILLED;
    result_.reset();
    if (server_spoke) {
      if (questions_.front().subject == Subject::session && code == ER_UNKNOWN_SYSTEM_VARIABLE)
        return ask_next();
      answers_.error = mysql_failure(code, text);
      return finish(judge());
    }
    session_.reset();
    // The server was restarted since the last attempt: that it is gone says nothing about the new one.
    if (std::exchange(reused_, false) && answers_.rows == 0) {
      resolve();
      return std::nullopt;
    }
    return finish(mysql_failure(code, text));
  }

  CheckResult judge() const {
    // First, as a missing table is the likely reason of an error in the query.
    health::CheckError missing{FailKind::missing_tables, "missing tables: "};
    const bool looked = questions_.empty() || questions_.front().subject > Subject::tables;
    for (std::size_t i = 0; looked && i < answers_.found.size(); ++i) {
      if (answers_.found[i]) continue;
      missing.message += (missing.missing.empty() ? "" : ", ") + settings_->tables[i].written;
      missing.missing.push_back(settings_->tables[i].written);
    }
    if (!missing.missing.empty()) return CheckResult::fail(missing);
    if (answers_.error) return *answers_.error;
    if (!answers_.read_only.empty()) {
      return CheckResult::fail(FailKind::answer, "the server is read-only (" + answers_.read_only + ")");
    }
    if (settings_->expect && answers_.value != settings_->expect) {
      const std::string gave = answers_.rows == 0 ? "no row"
                               : answers_.value   ? quoted(*answers_.value)
                                                  : "NULL";
      return CheckResult::fail(FailKind::answer,
                               "the query gave " + gave + ", expected " + quoted(*settings_->expect));
    }
    return pass_or_expiring(loop::peer_certificate_left(tls_session(), context_.loop.wall_now()),
                            settings_->min_days_left);
  }

  // Null without TLS, and until the library has begun with it.
  const SSL* tls_session() const {
    const auto* channel = session_ ? session_->net.pvio : nullptr;
    const auto* tls = channel != nullptr ? channel->ctls : nullptr;
    return tls != nullptr ? static_cast<const SSL*>(tls->ssl) : nullptr;
  }

  std::optional<CheckResult> certificate_problem() {
    const bool greeted = session_ && session_->server_version != nullptr;
    if (!settings_->tls || verified_ || !greeted) return std::nullopt;
    if (tls_session() == nullptr) {  // the library would go on in plain text
      return CheckResult::fail(FailKind::tls, "the server does not offer TLS");
    }
    if (!loop::handshake_done(tls_session())) return std::nullopt;
    verified_ = true;
    if (!settings_->tls->verify) return std::nullopt;
    const auto problem = loop::peer_problem(tls_session(), settings_->tls->server_name);
    return problem ? std::optional(CheckResult::fail(FailKind::tls, *problem)) : std::nullopt;
  }

  void watch(int status) {
    const int socket = static_cast<int>(mysql_get_socket(session_.get()));
    under_way_ = true;
    watch_.emplace(context_.loop, socket, [this](loop::FdWatch::Ready ready) {
      watch_.reset();
      under_way_ = false;
      proceed(resume((ready.readable ? MYSQL_WAIT_READ : 0) | (ready.writable ? MYSQL_WAIT_WRITE : 0)));
    });
    watch_->want((status & MYSQL_WAIT_READ) != 0, (status & MYSQL_WAIT_WRITE) != 0);
  }

  // Ends the session when the result is not to be had from it again.
  Status finish(CheckResult result, bool halfway = false) {
    const bool keep = !halfway && session_ && step_ != Step::connect;
    if (!keep) {
      under_way_ = under_way_ || halfway;
      drop();
    }
    std::exchange(attempt_, {}).finish(std::move(result));
    return std::nullopt;
  }

  // At once: on a socket that is shut down every call of the library returns, also those that say goodbye.
  void drop() {
    watch_.reset();
    query_.reset();
    if (session_ && std::exchange(under_way_, false)) {
      ::shutdown(static_cast<int>(mysql_get_socket(session_.get())), SHUT_RDWR);
      int status = MYSQL_WAIT_TIMEOUT;
      for (int i = 0; i < kMostUnwinding && status != 0; ++i) status = resume(MYSQL_WAIT_TIMEOUT);
    }
    result_.reset();
    session_.reset();
  }

  const CheckContext context_;
  const std::shared_ptr<const Settings> settings_;  // owners: the plan and every check made from it
  Attempt attempt_;
  Step step_ = Step::connect;
  bool reused_ = false;     // this attempt began on a kept session
  bool under_way_ = false;  // the library is in the middle of a step
  bool verified_ = false;   // that it is TLS with whom we meant, of this session
  std::unique_ptr<loop::Resolver::Query> query_;
  std::vector<loop::Address> addresses_;
  std::size_t next_address_ = 0;
  std::unique_ptr<MYSQL, Close> session_;
  std::unique_ptr<MYSQL_RES, Close> result_;  // after its session, which must outlive it
  std::optional<loop::FdWatch> watch_;  // after the session: it must be gone before the session's socket
  std::vector<Question> questions_;     // the first is being asked
  Answers answers_;
  // Where the library's steps leave what they give.
  MYSQL* connected_ = nullptr;
  int query_failed_ = 0;
  MYSQL_ROW row_ = nullptr;
};

}  // namespace

CheckPlan read_mysql(const config::CheckSpec& spec, const config::Config&) {
  auto settings = std::make_shared<const Settings>(read_mysql_settings(spec));
  return {
      .make =
          [settings](const CheckContext& context) { return std::make_unique<MysqlCheck>(context, settings); },
      .secrets = settings->secrets(),
      .target = settings->target()};
}

}  // namespace probegate::checks
