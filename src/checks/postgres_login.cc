#include "checks/postgres_login.h"

#include <algorithm>

#include "base/text.h"
#include "checks/postgres_errors.h"
#include "checks/transport.h"

namespace probegate::checks {
namespace {

using health::CheckError;
using health::CheckResult;
using health::FailKind;

constexpr std::size_t kMostTries = 32;
constexpr std::size_t kLargestLogin = 1024 * 1024;  // limit of data from the server, including certificates

// Like libpq: tries the next host unless the server refused the login; a server that is not ready
// yet is skipped.
bool another_may_do(const CheckError& error) {
  if (!error.sqlstate.empty()) return error.sqlstate == "57P03";
  return error.kind == FailKind::connect || error.kind == FailKind::timeout || error.kind == FailKind::answer;
}

}  // namespace

PostgresLogin::PostgresLogin(const CheckContext& context, const PostgresSettings& settings,
                             TimePoint deadline, std::unique_ptr<MeteredSocket>& meter, Observer& observer)
    : context_(context),
      settings_(settings),
      deadline_(deadline),
      meter_(meter),
      observer_(observer),
      patience_(context.loop, [this] { on_patience(); }) {}

void PostgresLogin::start() {
  addresses_.assign(settings_.hosts.size(), {});
  unresolved_ = 1;  // counts this call until all lookups are started
  for (std::size_t i = 0; i < settings_.hosts.size(); ++i) {
    const PostgresHost& host = settings_.hosts[i];
    if (host.is_socket()) continue;
    ++unresolved_;
    queries_.push_back(context_.resolver.resolve(
        Endpoint::tcp(host.look_up, host.port),
        [this, i](loop::Resolver::Answer answer) { on_answer(i, std::move(answer)); }));
  }
  if (settings_.hosts.size() > 1) patience_.start((deadline_ - context_.loop.now()) / 2);
  --unresolved_;
  resolved_enough();
}

void PostgresLogin::on_answer(std::size_t host, loop::Resolver::Answer answer) {
  --unresolved_;
  if (answer) {
    addresses_[host] = std::move(*answer);
  } else {
    failures_.push_back({resolve_failure(answer.error().message), answer.error().message});
  }
  resolved_enough();
}

// Continues when all names are resolved, or, after half of the time, at least one.
void PostgresLogin::resolved_enough() {
  const auto has_address = [](const auto& addresses) { return !addresses.empty(); };
  const auto is_socket = [](const auto& host) { return host.is_socket(); };
  const bool any = std::any_of(addresses_.begin(), addresses_.end(), has_address) ||
                   std::any_of(settings_.hosts.begin(), settings_.hosts.end(), is_socket);
  if (unresolved_ == 0 || (any && !wait_for_all_names_)) connect();
}

void PostgresLogin::connect() {
  phase_ = "connecting";
  queries_.clear();
  const auto add_all = [this](const std::string& wanted) {
    for (std::size_t i = 0; i < settings_.hosts.size(); ++i) {
      if (settings_.hosts[i].is_socket()) tries_.push_back({i, "", wanted});
      for (const auto& address : addresses_[i]) tries_.push_back({i, address.ip(), wanted});
    }
  };
  const bool rather_a_standby = settings_.session_attrs == "prefer-standby";
  if (rather_a_standby) add_all("standby");
  add_all(rather_a_standby ? "any" : settings_.session_attrs);
  if (tries_.size() > kMostTries) tries_.resize(kMostTries);
  try_next();
}

void PostgresLogin::try_next() {
  session_.reset();
  patience_.stop();
  if (next_ == tries_.size()) return give_up();
  const auto left = static_cast<std::int64_t>(tries_.size() - next_);
  const Try& now = tries_[next_++];
  const PostgresHost& host = settings_.hosts[now.host];
  share_ = (deadline_ - context_.loop.now()) / left;
  const bool limited = settings_.connect_limit < share_;
  if (limited) share_ = settings_.connect_limit;
  if (left > 1 || limited) patience_.start(share_);  // the last try ends at the deadline itself

  PostgresParameters parameters = settings_.parameters;
  parameters["host"] = host.name;
  parameters["port"] = std::to_string(host.port);
  parameters["target_session_attrs"] = now.wanted;
  if (!now.address.empty()) parameters["hostaddr"] = now.address;
  std::vector<const char*> keywords, values;
  for (const auto& [keyword, value] : parameters) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  session_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
  if (!session_) return observer_.on_login_failed(CheckResult::inconclusive("out of memory"));
  PQsetNoticeReceiver(
      session_.get(), [](void*, const PGresult*) {}, nullptr);
  PQsetErrorVerbosity(session_.get(), PQERRORS_VERBOSE);
  if (PQstatus(session_.get()) == CONNECTION_BAD) {
    return on_failed(failed_connect(PQerrorMessage(session_.get())));
  }
  watch(false, true);
}

void PostgresLogin::poll() {
  const auto next = PQconnectPoll(session_.get());
  if (!meter()) return;
  switch (next) {
    case PGRES_POLLING_READING: return watch(true, false);
    case PGRES_POLLING_WRITING: return watch(false, true);
    case PGRES_POLLING_OK:
      patience_.stop();
      PQsetnonblocking(session_.get(), 1);
      return observer_.on_login(std::move(session_));
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE: return on_failed(failed_connect(PQerrorMessage(session_.get())));
  }
}

// Inserts the meter as soon as there is a connection, before anything is read. False: the login is over.
bool PostgresLogin::meter() {
  const int socket = PQsocket(session_.get());
  const auto status = PQstatus(session_.get());
  if (socket < 0 || status == CONNECTION_STARTED || status == CONNECTION_BAD) return true;
  if (meter_ && meter_->stands_behind(socket)) return true;
  try {
    meter_ = std::make_unique<MeteredSocket>(context_.loop, socket, kLargestLogin);
    return true;
  } catch (const std::exception& e) {
    on_failed(CheckResult::inconclusive(e.what()));
    return false;
  }
}

void PostgresLogin::watch(bool read, bool write) {
  const int socket = PQsocket(session_.get());
  if (socket < 0) return on_failed(failed_connect(PQerrorMessage(session_.get())));
  watch_.emplace(context_.loop, socket, [this](loop::FdWatch::Ready) {
    watch_.reset();
    poll();
  });
  watch_->want(read, write);
}

void PostgresLogin::on_patience() {
  if (tries_.empty()) {
    wait_for_all_names_ = false;
    return resolved_enough();
  }
  watch_.reset();
  const Try& now = tries_[next_ - 1];
  const PostgresHost& host = settings_.hosts[now.host];
  std::string place = "connection to server at \"" + host.name + "\"";
  if (!now.address.empty()) place += " (" + now.address + ")";
  on_failed(CheckResult::fail(FailKind::timeout, place + ", port " + std::to_string(host.port) +
                                                     " failed: no answer within " +
                                                     format_duration(std::chrono::floor<Millis>(share_))));
}

void PostgresLogin::on_failed(CheckResult result) {
  if (result.verdict != health::Verdict::fail) {
    session_.reset();
    patience_.stop();
    return observer_.on_login_failed(std::move(result));
  }
  if (meter_ && meter_->exceeded()) {
    result = CheckResult::fail(FailKind::protocol, "the server sent more than 1 MiB during the login");
  }
  const bool go_on = another_may_do(*result.error);
  failures_.push_back(std::move(*result.error));
  go_on ? try_next() : give_up();
}

// Reports the last failure. A refusal by a server is reported alone; other failures are joined.
void PostgresLogin::give_up() {
  session_.reset();
  patience_.stop();
  CheckError error = failures_.back();
  if (error.sqlstate.empty()) {
    error.message.clear();
    for (const auto& failure : failures_) {
      if (error.message.find(failure.message) != std::string::npos) continue;
      error.message += (error.message.empty() ? "" : "; ") + failure.message;
    }
  }
  observer_.on_login_failed(CheckResult::fail(std::move(error)));
}

}  // namespace probegate::checks
