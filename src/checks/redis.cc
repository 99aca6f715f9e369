// The redis check: one pipelined round trip an attempt on a kept connection.
//
// hiredis gives its reader and its formatter only; its own I/O resolves names in the loop's thread and loses
// refused connects. Nothing we ask is answered by an array, so the reader is not allowed to make one: a peer
// that announces a hundred million elements would otherwise be given the memory for them.
#include <hiredis/hiredis.h>

#include <deque>
#include <utility>

#include "base/text.h"
#include "checks/presentable.h"
#include "checks/random_bytes.h"
#include "checks/redis_address.h"
#include "checks/registry.h"
#include "checks/session_age.h"
#include "checks/transport.h"
#include "loop/connection.h"

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::FailKind;

constexpr std::uint16_t kPort = 6379;
constexpr std::size_t kLongestAnswer = 64 * 1024;  // of one attempt
constexpr int kMostDatabases = 1'000'000;

enum class Role { any, master, replica };

struct Settings {
  Endpoint endpoint;
  std::optional<loop::TlsSettings> tls;
  int min_days_left = 0;
  std::string user;
  std::string password;
  int database = 0;
  bool write = true;
  Role role = Role::any;
  std::string key;  // of this instance: others may check the same server
  Duration max_session{};
};

struct Reply {
  int type = REDIS_REPLY_NIL;
  std::string text;
};

struct Free {
  void operator()(redisReader* reader) const noexcept { redisReaderFree(reader); }
  void operator()(Reply* reply) const noexcept { delete reply; }
};

std::unique_ptr<redisReader, Free> make_reader() {
  static constexpr redisReplyObjectFunctions kFunctions = {
      .createString = [](const redisReadTask* task, char* text, std::size_t size) noexcept -> void* {
        return new Reply{task->type, std::string(text, size)};
      },
      .createArray = [](const redisReadTask*, int) noexcept -> void* { return nullptr; },
      .createInteger = [](const redisReadTask*, long long value) noexcept -> void* {
        return new Reply{REDIS_REPLY_INTEGER, std::to_string(value)};
      },
      .createNil = [](const redisReadTask*) noexcept -> void* { return new Reply; },
      .freeObject = [](void* reply) noexcept { delete static_cast<Reply*>(reply); },
  };
  // The parameter is not const, but nothing writes to it.
  return std::unique_ptr<redisReader, Free>(
      redisReaderCreateWithFunctions(const_cast<redisReplyObjectFunctions*>(&kFunctions)));
}

std::string command(const std::vector<std::string>& words) {
  std::vector<const char*> arguments;
  std::vector<std::size_t> sizes;
  for (const auto& word : words) {
    arguments.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* bytes = nullptr;
  const int size =
      redisFormatCommandArgv(&bytes, static_cast<int>(words.size()), arguments.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  std::string text(bytes, static_cast<std::size_t>(size));
  redisFreeCommand(bytes);
  return text;
}

// What the user can do about an answer that Redis' own words do not tell.
std::string advice(std::string_view question, std::string_view prefix) {
  const bool about_key = question == "SET" || question == "GET";
  if (prefix == "NOPERM" && about_key) return " (the user needs +set +get ~probegate:*, or write: false)";
  if (prefix == "NOPERM") return " (the user needs +" + to_lower(question) + ")";
  if (prefix == "READONLY") return " (write: false checks a replica without writing)";
  if (prefix == "MOVED" || prefix == "ASK") {
    return " (a cluster keeps the key on that node; write: false checks this one)";
  }
  return "";
}

CheckResult error_reply(const std::string& name, const std::string& text) {
  const std::string_view prefix = std::string_view(text).substr(0, text.find(' '));
  const std::string told = name + ": " + text + advice(name, prefix);
  for (const std::string_view refusal : {"NOAUTH", "WRONGPASS", "NOPERM", "DENIED"}) {
    if (prefix == refusal) return CheckResult::fail(FailKind::auth, told);
  }
  // The server speaks and says why it cannot serve: LOADING, MASTERDOWN, BUSY, READONLY, MISCONF, OOM,
  // NOREPLICAS, CLUSTERDOWN, MOVED. Only "ERR" depends on what was asked.
  if (prefix != "ERR") return CheckResult::fail(FailKind::answer, told);
  if (text.find("max number of clients") != std::string::npos)
    return CheckResult::fail(FailKind::connect, text);
  if (name == "AUTH") return CheckResult::fail(FailKind::auth, told);
  if (name == "SELECT") return CheckResult::fail(FailKind::config, told);
  return CheckResult::fail(FailKind::answer, told);
}

// The value of one line of INFO, "name:value".
std::string_view info_value(std::string_view info, std::string_view name) {
  for (auto line : split(info, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with(name) && line.substr(name.size()).starts_with(':'))
      return line.substr(name.size() + 1);
  }
  return {};
}

// A replica whose link is down goes on answering, with what it last heard: only this tells.
std::optional<CheckResult> judge_role(Role wanted, std::string_view info) {
  const auto role = info_value(info, "role");
  if (role != "master" && role != "slave") {
    return CheckResult::fail(FailKind::protocol, "INFO replication names no role");
  }
  const bool is_replica = role == "slave";
  if (is_replica != (wanted == Role::replica)) {
    return CheckResult::fail(FailKind::answer, is_replica ? "the server is a replica, expected a master"
                                                          : "the server is a master, expected a replica");
  }
  if (!is_replica || info_value(info, "master_link_status") == "up") return std::nullopt;
  std::string message = "the replica's link to its master is down";
  const auto down_for = parse_decimal<int>(info_value(info, "master_link_down_since_seconds"));
  if (down_for) message += ", for " + std::to_string(*down_for) + " s";
  return CheckResult::fail(FailKind::answer, message);
}

class RedisCheck final : public Check, private loop::ConnectionObserver {
 public:
  RedisCheck(const CheckContext& context, std::shared_ptr<const Settings> settings)
      : context_(context), settings_(std::move(settings)), age_(settings_->max_session) {}

  void start(Attempt attempt, TimePoint) override {
    attempt_ = std::move(attempt);
    reused_ = keeps_session();
    reused_ ? ask(false) : connect();
  }

  const char* phase() const noexcept override {
    if (!asked_.empty()) return "waiting for the answer";
    return connection_ ? connection_->phase() : nullptr;
  }

  bool keeps_session() const noexcept override {
    return connection_.has_value() && !age_.over(context_.loop.now());
  }

 private:
  struct Question {
    const char* name;
    std::string expected;  // unless it is INFO
  };

  void connect() {
    asked_.clear();
    connection_.reset();  // the old session first: the server may allow one
    age_.begin(context_.loop.now());
    connection_.emplace(context_.loop, context_.resolver, settings_->endpoint, settings_->tls,
                        static_cast<loop::ConnectionObserver&>(*this));
  }

  void on_open() override { ask(true); }

  // Everything in one write: the server answers in order.
  void ask(bool new_connection) {
    reader_ = make_reader();
    received_ = 0;
    asked_.clear();
    std::string bytes;
    const auto add = [&](std::vector<std::string> words, const char* name, std::string expected) {
      bytes += command(words);
      asked_.push_back({name, std::move(expected)});
    };
    if (new_connection && !settings_->password.empty()) {
      add(settings_->user.empty() ? std::vector<std::string>{"AUTH", settings_->password}
                                  : std::vector<std::string>{"AUTH", settings_->user, settings_->password},
          "AUTH", "OK");
    }
    if (new_connection && settings_->database != 0) {
      add({"SELECT", std::to_string(settings_->database)}, "SELECT", "OK");
    }
    add({"PING"}, "PING", "PONG");
    if (settings_->role != Role::any) add({"INFO", "replication"}, "INFO", "");
    if (settings_->write) {
      const std::string value = random_hex();
      add({"SET", settings_->key, value, "EX", "5"}, "SET", "OK");
      add({"GET", settings_->key}, "GET", value);
    }
    if (!connection_->write(bytes)) lost(CheckResult::fail(FailKind::connect, "the connection broke"));
  }

  void on_data(std::span<const char> bytes) override {
    if (asked_.empty()) return connection_.reset();  // between attempts nobody has anything to say
    received_ += bytes.size();
    if (received_ > kLongestAnswer) return fail(FailKind::protocol, "the answer is longer than 64 KiB");
    redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
    while (!asked_.empty()) {
      void* object = nullptr;
      if (redisReaderGetReply(reader_.get(), &object) != REDIS_OK) {
        return fail(FailKind::protocol, "the answer to " + std::string(asked_.front().name) +
                                            " is not what a Redis server sends");
      }
      if (object == nullptr) return;
      const std::unique_ptr<Reply, Free> reply(static_cast<Reply*>(object));
      if (auto problem = judge(asked_.front(), *reply)) return finish(*std::move(problem));
      asked_.pop_front();
    }
    std::exchange(attempt_, {})
        .finish(pass_or_expiring(connection_->certificate_left(), settings_->min_days_left));
  }

  std::optional<CheckResult> judge(const Question& question, const Reply& reply) const {
    if (reply.type == REDIS_REPLY_ERROR) return error_reply(question.name, reply.text);
    if (question.name == std::string_view("INFO")) return judge_role(settings_->role, reply.text);
    if (reply.type != REDIS_REPLY_NIL && reply.text == question.expected) return std::nullopt;
    const std::string gave = reply.type == REDIS_REPLY_NIL ? "nothing" : quoted(reply.text);
    return CheckResult::fail(FailKind::answer, std::string(question.name) + " gave " + gave + ", expected " +
                                                   quoted(question.expected));
  }

  void on_end() override {
    lost(CheckResult::fail(FailKind::connect,
                           "the server closed the connection before it answered" + maybe_tls()));
  }

  void on_failed(Phase phase, const std::string& why) override {
    lost(failed_connection(phase, phase == Phase::established ? why + maybe_tls() : why));
  }

  // Redis says nothing to a client that speaks plain text to a port for TLS.
  std::string maybe_tls() const {
    const bool plain = !settings_->tls && !settings_->endpoint.is_unix();
    return plain && received_ == 0 ? "; a port that wants TLS does so, and is asked with rediss://" : "";
  }

  void lost(CheckResult result) {
    // The server was restarted since the last attempt: that it is gone says nothing about the new one.
    if (!asked_.empty() && received_ == 0 && std::exchange(reused_, false)) {
      asked_.clear();
      if (!context_.begin_anew || !context_.begin_anew()) connect();
      return;
    }
    finish(std::move(result));
  }

  void fail(FailKind kind, std::string message) { finish(CheckResult::fail(kind, std::move(message))); }

  // Not a pass: the next attempt begins with a new connection. Between attempts the report is nobody's.
  void finish(CheckResult result) {
    asked_.clear();
    connection_.reset();
    std::exchange(attempt_, {}).finish(std::move(result));
  }

  const CheckContext context_;
  const std::shared_ptr<const Settings> settings_;  // owners: the plan and every check made from it
  Attempt attempt_;
  SessionAge age_;
  std::optional<loop::Connection> connection_;
  bool reused_ = false;  // this attempt began on a kept connection
  std::unique_ptr<redisReader, Free> reader_;
  std::size_t received_ = 0;
  std::deque<Question> asked_;  // not yet answered; empty between attempts and while connecting
};

void read_database(const config::Fields& fields, const RedisAddress& address, Settings& settings) {
  settings.database = address.database.value_or(0);
  if (!address.socket.empty() || address.url.path.size() <= 1) return;
  const auto database = parse_decimal<int>(std::string_view(address.url.path).substr(1));
  if (!database || *database > kMostDatabases)
    return fields.problem("url", "the path is the number of a database, /0");
  if (!address.database) settings.database = *database;
}

void read_address(const config::CheckSpec& spec, Settings& settings, CheckPlan& plan) {
  const auto& fields = spec.fields;
  const auto text = fields.secret_url("url");
  if (!text) {
    if (!fields.has("url") && !fields.has("url_file"))
      fields.problem("url", "is missing, expected redis://, rediss:// or unix:/path");
    return;
  }
  const auto address = read_redis_address(*text);
  if (!address) return fields.problem("url", address.error().message);
  add_secrets(address->url, plan.secrets);
  settings.endpoint =
      address->socket.empty() ? address->url.endpoint(kPort) : Endpoint::unix_socket(address->socket);
  settings.tls = tls_of_url(spec, address->tls, "rediss://");
  if (address->tls) {
    if (address->verify && !address->ca_file) settings.tls->verify = settings.tls->verify && *address->verify;
    add_url_files(spec, address->ca_file, address->cert_file, address->key_file, *settings.tls);
  } else if (address->ca_file || address->cert_file) {
    fields.problem("url", "names files for TLS and has no TLS; write rediss://");
  }
  settings.user = address->user;
  settings.password = address->password.value_or("");
  read_database(fields, *address, settings);
}

}  // namespace

CheckPlan read_redis(const config::CheckSpec& spec, const config::Config&) {
  CheckPlan plan;
  Settings settings;
  read_address(spec, settings, plan);
  if (const auto user = spec.fields.optional_text("user")) settings.user = *user;
  if (const auto password = spec.fields.secret("password")) settings.password = *password;
  if (!settings.user.empty() && settings.password.empty())
    spec.fields.problem("url", "a user needs a password");
  settings.write = spec.fields.boolean("write", settings.write);
  settings.role = spec.fields.choice(
      "role", Role::any, {{"any", Role::any}, {"master", Role::master}, {"replica", Role::replica}});
  if (settings.role == Role::replica && settings.write)
    spec.fields.contradiction("role", "a replica takes no writes; set write: false");
  settings.min_days_left = spec.tls.min_days_left;
  settings.max_session = spec.max_session;
  settings.key = "probegate:" + random_hex();

  plan.secrets.push_back(settings.password);
  if (!settings.user.empty()) plan.secrets.add_phrase("User " + settings.user + " ");  // NOPERM names it
  plan.secrets.allow(settings.endpoint.host);
  plan.target = settings.endpoint.to_string();
  if (settings.database != 0) plan.target += "/" + std::to_string(settings.database);
  plan.make = [settings = std::make_shared<const Settings>(std::move(settings))](
                  const CheckContext& context) { return std::make_unique<RedisCheck>(context, settings); };
  return plan;
}

}  // namespace probegate::checks
