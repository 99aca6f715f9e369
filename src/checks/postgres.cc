// The postgres check: one kept session, one round trip per attempt, through libpq's asynchronous API.
//
// A slow statement is ended by statement_timeout or by the end of the session, because PQcancel blocks.
//
// A pooler may pass the session on to the application. So no setting applies to the session: all settings are
// local to the implicit transaction of a query with several statements.
#include <libpq-fe.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "checks/close_wait.h"
#include "checks/postgres_errors.h"
#include "checks/postgres_login.h"
#include "checks/postgres_settings.h"
#include "checks/registry.h"
#include "checks/session_age.h"
#include "loop/fd_watch.h"

namespace probegate::checks {
namespace {

using health::CheckError;
using health::CheckResult;
using health::FailKind;

using Settings = PostgresSettings;

constexpr std::size_t kLargestAnswer = 16 * 1024 * 1024;  // per attempt
constexpr std::size_t kLargestKept =
    1024 * 1024;  // libpq's buffer never shrinks, so a session with more ends

struct Finish {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
  void operator()(PGnotify* notification) const noexcept { PQfreemem(notification); }
};

// The role of the session, and the defaults that ALTER DATABASE and ALTER ROLE set for new sessions; an
// existing session does not see changes to them.
constexpr const char* kRoleQuery =
    "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only'),"
    " (SELECT pg_catalog.string_agg(setting, ' ' ORDER BY setrole, setdatabase)"
    "  FROM pg_catalog.pg_db_role_setting, pg_catalog.unnest(setconfig) AS setting"
    "  WHERE setting LIKE 'default_transaction_read_only=%'"
    "   AND setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database"
    "    WHERE datname = pg_catalog.current_database()))"
    "   AND setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user)))";

// The answers of one round trip.
struct Answers {
  std::size_t statement = 0;  // index of the next result
  std::vector<std::string> missing;
  std::string missing_told;  // with similar existing tables
  std::string unreadable;
  std::optional<std::string> role_problem;
  std::string role_defaults;         // defaults of a new session that differ from the server's
  std::optional<std::string> value;  // first field of the first row of the query
  bool query_gave_row = false;
  std::optional<CheckError> error;
  bool session_ended = false;
};

class PostgresCheck final : public Check, private PostgresLogin::Observer {
 public:
  PostgresCheck(const CheckContext& context, std::shared_ptr<const Settings> settings)
      : context_(context), settings_(std::move(settings)), age_(settings_->max_session) {}

  void start(Attempt attempt, TimePoint deadline) override {
    attempt_ = std::move(attempt);
    deadline_ = deadline;
    reused_ = keeps_session();
    if (reused_) return ask();
    session_ ? replace_session() : log_in();
  }

  const char* phase() const noexcept override {
    if (close_wait_) return "ending the old session";
    return session_ ? "waiting for the answer to the query" : login_ ? login_->phase() : nullptr;
  }

  bool keeps_session() const noexcept override { return session_ && !age_.over(context_.loop.now()); }

 private:
  enum class Part { missing_tables, role, query };

  // The number of statements before the parts.
  std::size_t count_settings() const { return settings_->search_path.empty() ? 2 : 3; }

  void log_in() {
    PostgresLogin::Observer& us = *this;
    meter_.reset();
    login_.emplace(context_, *settings_, deadline_, meter_, us);
    login_->start();
  }

  // The old one goes first; see close_wait.h.
  void replace_session() {
    close_wait_.emplace(context_.loop, PQsocket(session_.get()), (deadline_ - context_.loop.now()) / 4,
                        [this] {
                          close_wait_.reset();
                          log_in();
                        });
    session_.reset();
  }

  void on_login(PostgresSession session) override {
    session_ = std::move(session);
    age_.begin(context_.loop.now());
    ask();
  }

  void on_login_failed(CheckResult result) override {
    const auto unnamed = settings_->unnamed_database();
    if (result.error && result.error->kind == FailKind::config && !unnamed.empty() &&
        result.error->message.find("database") != std::string::npos) {
      result.error->message = unnamed;
    }
    attempt_.finish(std::move(result));
  }

  // Logs in during an attempt whose kept session was lost.
  void log_in_again() {
    reused_ = false;
    if (context_.begin_anew && context_.begin_anew()) return;
    session_ ? replace_session() : log_in();
  }

  void ask() {
    answers_ = {};
    parts_.clear();
    if (meter_) meter_->allow(kLargestAnswer);
    if (PQsendQuery(session_.get(), statements().c_str()) == 1) {
      PQsetSingleRowMode(session_.get());  // limits memory for a query without LIMIT
      return on_answering();
    }
    answers_.session_ended = true;
    answers_.error = failed_connect(PQerrorMessage(session_.get())).error;
    on_answered();
  }

  // One query with several statements, so one implicit transaction.
  std::string statements() {
    const Duration left = deadline_ - context_.loop.now();
    // A little less than the remaining time, so that the server ends a slow query and the session is kept.
    const auto limit = std::max<std::int64_t>(1, std::chrono::floor<Millis>(left * 9 / 10).count());
    std::string sql = "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = " + std::to_string(limit);
    if (!settings_->search_path.empty()) sql += "; SET LOCAL search_path = " + settings_->search_path_sql();
    if (!settings_->tables.empty()) {
      parts_.push_back(Part::missing_tables);
      sql += "; " + postgres_tables_query(settings_->tables);
    }
    if (settings_->asks_for_role()) {
      parts_.push_back(Part::role);
      sql += std::string("; ") + kRoleQuery;
    }
    if (settings_->query || parts_.empty()) {
      parts_.push_back(Part::query);
      sql += "; " + settings_->query.value_or("SELECT 1");
    }
    return sql;
  }

  void on_answering() {
    // An error here also appears as a result, with a better message.
    const bool more_to_send = PQflush(session_.get()) == 1;
    std::ignore = PQconsumeInput(session_.get());
    while (const std::unique_ptr<PGnotify, Finish> unasked{PQnotifies(session_.get())}) {
    }
    while (PQisBusy(session_.get()) == 0) {
      const std::unique_ptr<PGresult, Finish> result(PQgetResult(session_.get()));
      if (!result) return on_answered();
      take(*result);
      if (answers_.session_ended) return on_answered();
    }
    watch(more_to_send);
  }

  void take(const PGresult& result) {
    switch (PQresultStatus(&result)) {
      case PGRES_SINGLE_TUPLE: return take_row(result);
      case PGRES_COMMAND_OK:
      case PGRES_EMPTY_QUERY:
      case PGRES_TUPLES_OK: ++answers_.statement; return;
      case PGRES_COPY_IN:
      case PGRES_COPY_OUT:
      case PGRES_COPY_BOTH:
        answers_.error = CheckError{FailKind::answer, "the query must not be a COPY"};
        answers_.session_ended = true;  // ended by us: the whole copy would have to be read
        return;
      default: return take_error(result);
    }
  }

  void take_row(const PGresult& row) {
    const auto field = [&](int column) {
      const auto size = static_cast<std::size_t>(PQgetlength(&row, 0, column));
      return std::string(PQgetvalue(&row, 0, column), std::min(size, kLargestKept));
    };
    if (answers_.statement < count_settings()) return;
    // Further statements belong to the user's query.
    switch (parts_[std::min(answers_.statement - count_settings(), parts_.size() - 1)]) {
      case Part::missing_tables:
        if (answers_.missing.size() == settings_->tables.size()) return;
        if (const auto i = parse_decimal<std::size_t>(field(0))) {
          take_table(settings_->tables.at(*i).written, field(1) == "t", field(2));
        }
        return;
      case Part::role:
        answers_.role_problem = settings_->role_problem(field(0) == "t", field(1) == "on");
        answers_.role_defaults = field(2);
        return;
      case Part::query:
        if (std::exchange(answers_.query_gave_row, true) || PQnfields(&row) == 0) return;
        if (PQgetisnull(&row, 0, 0) == 0) answers_.value = field(0);
        return;
    }
  }

  void take_table(const std::string& name, bool there, const std::string& instead) {
    if (there) {
      answers_.unreadable += (answers_.unreadable.empty() ? "" : ", ") + name;
      return;
    }
    answers_.missing_told += (answers_.missing.empty() ? "" : ", ") + name;
    if (!instead.empty()) answers_.missing_told += " (there is " + instead + ")";
    answers_.missing.push_back(name);
  }

  void take_error(const PGresult& result) {
    const auto field = [&](int code) -> std::string {
      const char* text = PQresultErrorField(&result, code);
      return text != nullptr ? text : "";
    };
    const std::string sqlstate = field(PG_DIAG_SQLSTATE);
    const std::string severity = field(PG_DIAG_SEVERITY_NONLOCALIZED);
    // An error without a code comes from libpq: the session is lost.
    answers_.session_ended = sqlstate.empty() || severity == "FATAL" || severity == "PANIC";
    if (sqlstate.empty()) {
      answers_.error = failed_connect(PQresultErrorMessage(&result)).error;
    } else {
      answers_.error =
          CheckError{kind_of_sqlstate(sqlstate, false), field(PG_DIAG_MESSAGE_PRIMARY), sqlstate};
    }
  }

  void on_answered() {
    const bool too_large = meter_ && meter_->exceeded();
    if (too_large) {
      answers_.session_ended = true;
      answers_.error = CheckError{FailKind::answer, "the server sent more than 16 MiB for one attempt"};
    }
    const bool clean = !answers_.session_ended && PQtransactionStatus(session_.get()) == PQTRANS_IDLE &&
                       (!meter_ || meter_->passed() <= kLargestKept);
    if (!clean) {
      session_.reset();
      meter_.reset();
    }
    // The kept session was lost, for example by a server restart, which says nothing about the server now.
    if (answers_.session_ended && !too_large && answers_.statement == 0 && reused_) return log_in_again();
    // A kept session may differ from a new one, for example after a failover.
    const bool outdated = answers_.role_problem || answers_.role_defaults != role_defaults_;
    if (reused_ && clean && !answers_.error && outdated) return log_in_again();
    role_defaults_ = answers_.role_defaults;
    if (answers_.role_problem) session_.reset();
    auto result = judge();
    answers_ = {};
    attempt_.finish(std::move(result));
  }

  CheckResult judge() const {
    // Checked first, because a missing table is the likely cause of an error in the query.
    if (!answers_.missing.empty()) {
      std::string told = "missing tables: " + answers_.missing_told;
      if (!answers_.unreadable.empty()) told += "; not readable: " + answers_.unreadable;
      return CheckResult::fail(
          {.kind = FailKind::missing_tables, .message = told, .missing = answers_.missing});
    }
    if (!answers_.unreadable.empty()) {
      return CheckResult::fail({.kind = FailKind::config,
                                .message = "not readable by this user: " + answers_.unreadable,
                                .sqlstate = "42501"});
    }
    if (answers_.error) return CheckResult::fail(*answers_.error);
    if (answers_.statement < count_settings() + parts_.size()) {
      return CheckResult::fail(FailKind::protocol, "the server left a statement unanswered");
    }
    if (answers_.role_problem) return CheckResult::fail(FailKind::answer, *answers_.role_problem);
    if (settings_->expect) {
      if (const auto complaint = settings_->expect->complaint(answers_.query_gave_row, answers_.value))
        return CheckResult::fail(FailKind::answer, *complaint);
    }
    return CheckResult::pass();
  }

  void watch(bool write) {
    watch_.emplace(context_.loop, PQsocket(session_.get()), [this](loop::FdWatch::Ready) {
      watch_.reset();
      on_answering();
    });
    watch_->want(true, write);
  }

  const CheckContext context_;
  const std::shared_ptr<const Settings> settings_;  // owners: the plan and every check made from it
  Attempt attempt_;
  TimePoint deadline_{};
  bool reused_ = false;  // this attempt uses a kept session
  SessionAge age_;
  std::optional<CloseWait> close_wait_;
  std::optional<PostgresLogin> login_;
  std::unique_ptr<MeteredSocket> meter_;  // outlives the session
  PostgresSession session_;
  std::optional<loop::FdWatch> watch_;  // destroyed before the session's socket
  std::string role_defaults_;           // at the login
  std::vector<Part> parts_;
  Answers answers_;
};

}  // namespace

CheckPlan read_postgres(const config::CheckSpec& spec, const config::Config&) {
  auto settings = std::make_shared<const Settings>(read_postgres_settings(spec));
  return {
      .make = [settings](
                  const CheckContext& context) { return std::make_unique<PostgresCheck>(context, settings); },
      .secrets = settings->secrets(),
      .target = settings->target()};
}

}  // namespace probegate::checks
