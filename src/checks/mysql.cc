// The mysql check: MariaDB and MySQL through one kept session of libmariadb's non-blocking API.
//
// Pitfalls of libmariadb: it resolves names itself and blocks, so it gets an address (and "localhost" is TCP
// like any other name; a socket is selected by its path). It cannot open a session without blocking (see
// mysql_login.h). It may close its socket in any call, so the watch is removed before each. An interrupted
// step leaks memory unless it is continued with a timeout until it ends. Login methods other than the oldest
// are plugins loaded from files, so a static program cannot support mysql.
#include <mysql.h>
#include <mysqld_error.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "checks/close_wait.h"
#include "checks/mysql_answers.h"
#include "checks/mysql_errors.h"
#include "checks/mysql_login.h"
#include "checks/mysql_settings.h"
#include "checks/registry.h"
#include "checks/session_age.h"
#include "checks/transport.h"
#include "loop/fd_watch.h"
#include "loop/resolver.h"

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::FailKind;
using Settings = MysqlSettings;

constexpr std::size_t kMostRows = 1000;  // limit for a query without LIMIT; only the first row is used
constexpr int kMostUnwinding = 16;
constexpr std::size_t kMostVariables = 64;  // a server has only a few of the requested ones
constexpr std::size_t kLongestList = 256;

class MysqlCheck final : public Check {
 public:
  MysqlCheck(const CheckContext& context, std::shared_ptr<const Settings> settings)
      : context_(context), settings_(std::move(settings)), age_(settings_->max_session) {}
  ~MysqlCheck() override { drop(); }

  void start(Attempt attempt, TimePoint deadline) override {
    attempt_ = std::move(attempt);
    answers_.emplace(*settings_);
    reused_ = keeps_session();
    if (!reused_) return session_ ? replace_session(deadline) : resolve();
    meter_of(*session_).allow(MysqlMeter::kLargestAnswer);
    questions_ = questions(false);
    proceed(ask());
  }

  const char* phase() const noexcept override {
    if (close_wait_) return "ending the old session";
    if (query_) return "resolving the name";
    return login_ ? "connecting and logging in" : "waiting for the answer to the query";
  }

  bool keeps_session() const noexcept override {
    return session_ && !outdated_ && !age_.over(context_.loop.now());
  }

 private:
  enum class Step { query, row };
  enum class Subject { state, session, server, galera, tables, spelling, readable, query };
  struct Question {
    Subject subject;
    std::string sql;
    std::size_t table = 0;  // spelling, readable
  };
  // The result of a library step: the events it waits for, 0 when done; empty once the attempt is over.
  using Status = std::optional<int>;

  // The old one goes first; see close_wait.h.
  void replace_session(TimePoint deadline) {
    const int socket = static_cast<int>(mysql_get_socket(session_.get()));
    close_wait_.emplace(context_.loop, socket, (deadline - context_.loop.now()) / 4, [this] {
      close_wait_.reset();
      resolve();
    });
    session_.reset();
  }

  void resolve() {
    query_ = context_.resolver.resolve(settings_->endpoint, [this](loop::Resolver::Answer answer) {
      query_.reset();
      if (!answer) return attempt_.fail(resolve_failure(answer.error().message), answer.error().message);
      addresses_ = *std::move(answer);
      next_address_ = 0;
      log_in();
    });
  }

  void log_in() {
    login_.emplace(context_.loop, settings_, addresses_[next_address_++].ip(),
                   [this](MysqlLogin::Outcome outcome) { on_login(std::move(outcome)); });
  }

  void on_login(MysqlLogin::Outcome outcome) {
    login_.reset();
    session_ = std::move(outcome.session);
    if (session_) {
      meter_of(*session_).allow(MysqlMeter::kLargestAnswer);
      age_.begin(context_.loop.now());
      outdated_ = false;
      tables_read_ = false;
      questions_ = questions(true);
      return proceed(ask());
    }
    if (outcome.unreachable && next_address_ < addresses_.size()) return log_in();
    std::ignore = finish(*std::move(outcome.error));
  }

  void proceed(Status status) {
    while (status) {
      if (*status != 0) return watch(*status);
      status = step_ == Step::query ? after_query() : after_row();
    }
  }

  int resume(int events) {
    return step_ == Step::query ? mysql_real_query_cont(&query_failed_, session_.get(), events)
                                : mysql_fetch_row_cont(&row_, result_.get(), events);
  }

  std::vector<Question> questions(bool new_session) {
    std::vector<Question> list;
    if (new_session && settings_->writable) list.push_back({Subject::state, kMysqlSessionQuery});
    if (new_session) list.push_back({Subject::session, session_settings()});
    list.push_back({Subject::server, kMysqlServerQuery});
    if (!settings_->tables.empty()) list.push_back({Subject::tables, mysql_tables_query(settings_->tables)});
    if (settings_->query || (settings_->tables.empty() && !settings_->writable)) {
      list.push_back({Subject::query, settings_->query.value_or("SELECT 1")});
    }
    return list;
  }

  // Nothing else uses the session. Queries are read-only, and the server ends them shortly
  // before our deadline.
  std::string session_settings() {
    const auto limit =
        std::max<std::int64_t>(1, std::chrono::floor<Millis>(settings_->timeout * 9 / 10).count());
    if (mariadb_connection(session_.get()) == 0) {
      return "SET SESSION transaction_read_only = 1, max_execution_time = " + std::to_string(limit);
    }
    return "SET SESSION tx_read_only = 1, max_statement_time = " + std::to_string(limit) + " / 1000";
  }

  Status ask() {
    step_ = Step::query;
    const std::string& sql = questions_.front().sql;
    return mysql_real_query_start(&query_failed_, session_.get(), sql.data(), sql.size());
  }

  Status ask_next() {
    const Subject asked = questions_.front().subject;
    questions_.erase(questions_.begin());
    if (asked == Subject::server && is_galera_node(answers_->server)) {
      questions_.insert(questions_.begin(), {Subject::galera, kMysqlGaleraQuery});
    }
    if (asked == Subject::tables) ask_about_tables();
    return questions_.empty() ? finish(judge()) : ask();
  }

  // A table that is not listed may still exist, and a listed one may not be readable. Readability is tested
  // until it was confirmed once in a session, because the test waits for locks on the table.
  void ask_about_tables() {
    std::vector<Question> more;
    for (std::size_t i = 0; i < answers_->tables.size(); ++i) {
      const auto& found = answers_->tables[i].found;
      const auto& wanted = found ? *found : settings_->tables[i];
      if (!found) more.push_back({Subject::spelling, mysql_spelling_query(wanted), i});
      if (found && tables_read_) continue;
      more.push_back({Subject::readable, mysql_readable_query(wanted.schema, wanted.name), i});
    }
    questions_.insert(questions_.begin(), more.begin(), more.end());
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
      if (answers_->rows <= kMostRows) return fetch();
      return finish(judge(), true);  // the remaining rows would have to be read
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
    const Question& question = questions_.front();
    switch (question.subject) {
      case Subject::state: return take_variable(answers_->session, field(0), field(1));
      case Subject::server: return take_variable(answers_->server, field(0), field(1));
      case Subject::galera: return take_variable(answers_->galera, field(0), field(1));
      case Subject::session:
      case Subject::readable: return;
      case Subject::tables: return answers_->take_table(field(0), field(1), field(2), field(3) == "0");
      case Subject::spelling: {
        auto& instead = answers_->tables.at(question.table).instead;
        if (instead.size() < kLongestList) instead += (instead.empty() ? "" : ", ") + field(0);
        return;
      }
      case Subject::query:
        if (answers_->rows++ == 0 && columns > 0 && row_[0] != nullptr) answers_->value = field(0);
        return;
    }
  }

  static void take_variable(MysqlVariables& variables, const std::string& name, const std::string& value) {
    if (variables.size() < kMostVariables) variables[to_lower(name)] = value.substr(0, kLongestList);
  }

  // Handles errors that are a normal result and do not fail the check.
  bool took_error(unsigned code) {
    const Question& question = questions_.front();
    switch (question.subject) {
      case Subject::session: return code == ER_UNKNOWN_SYSTEM_VARIABLE;
      case Subject::state:
      case Subject::server:
      case Subject::galera: return !settings_->writable;  // a proxy that does not know this statement
      case Subject::spelling: return true;
      case Subject::readable: {
        auto& table = answers_->tables.at(question.table);
        const bool refused = code == ER_TABLEACCESS_DENIED_ERROR || code == ER_COLUMNACCESS_DENIED_ERROR ||
                             code == ER_DBACCESS_DENIED_ERROR;
        if (refused) table.readable = false;
        return refused || (!table.found && (code == ER_NO_SUCH_TABLE || code == ER_BAD_DB_ERROR));
      }
      case Subject::tables:
      case Subject::query: return false;
    }
    return false;
  }

  Status after_error() {
    const unsigned code = mysql_errno(session_.get());
    const std::string text = mysql_error(session_.get());
    if (const auto problem = meter_of(*session_).problem()) {
      result_.reset();
      session_.reset();
      return finish(CheckResult::fail(FailKind::protocol, *problem));
    }
    const bool server_spoke =
        !is_library_error(code) && code != ER_SERVER_SHUTDOWN && code != ER_CONNECTION_KILLED;
    result_.reset();
    if (server_spoke) {
      if (took_error(code)) return ask_next();
      answers_->error = mysql_failure(code, text);
      return finish(judge());
    }
    session_.reset();
    // The kept session was lost, for example by a server restart, which says nothing about the server now.
    if (std::exchange(reused_, false) && answers_->rows == 0) {
      answers_.emplace(*settings_);
      if (!context_.begin_anew || !context_.begin_anew()) resolve();
      return std::nullopt;
    }
    return finish(mysql_failure(code, text));
  }

  CheckResult judge() {
    const bool looked = questions_.empty() || questions_.front().subject == Subject::query;
    outdated_ = answers_->role_problem().has_value();  // a new session may have another role
    tables_read_ = looked && !answers_->tables_problem();
    if (auto problem = answers_->problem(looked)) return *std::move(problem);
    return pass_or_expiring(mysql_certificate_left(*session_, context_.loop.wall_now()),
                            settings_->min_days_left);
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

  // Ends the session if it cannot be used for another attempt.
  Status finish(CheckResult result, bool halfway = false) {
    if (halfway) {
      under_way_ = true;
      drop();
    }
    answers_.reset();
    std::exchange(attempt_, {}).finish(std::move(result));
    return std::nullopt;
  }

  // Does not block: on a socket that is shut down every call of the library returns, also those that
  // close the session.
  void drop() {
    watch_.reset();
    close_wait_.reset();
    query_.reset();
    login_.reset();
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
  Step step_ = Step::query;
  bool reused_ = false;       // this attempt uses a kept session
  bool outdated_ = false;     // the session must be replaced
  bool tables_read_ = false;  // in this session
  bool under_way_ = false;    // a step of the library is not finished
  SessionAge age_;
  std::optional<CloseWait> close_wait_;
  std::unique_ptr<loop::Resolver::Query> query_;
  std::vector<loop::Address> addresses_;
  std::size_t next_address_ = 0;
  std::optional<MysqlLogin> login_;  // while the login runs
  MysqlSession session_;
  std::unique_ptr<MYSQL_RES, CloseMysql> result_;  // declared after its session, which must outlive it
  std::optional<loop::FdWatch> watch_;             // destroyed before the session's socket
  std::vector<Question> questions_;                // the first one is running
  std::optional<MysqlAnswers> answers_;            // of this attempt
  // Output variables of the library's steps.
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
