// The redis check: one pipelined round trip per attempt on a kept session.
//
// The type of server decides how to open a session: a single Redis, a cluster node, or the master named by
// Sentinels. On a cluster the key is in a slot of the tested node, so that only this node is tested; MOVED
// and ASK are followed only if slots have moved or the node has none.
#include <algorithm>
#include <random>
#include <utility>

#include "checks/random_bytes.h"
#include "checks/redis_cluster.h"
#include "checks/redis_conversation.h"
#include "checks/redis_login.h"
#include "checks/redis_sentinel.h"
#include "checks/redis_settings.h"
#include "checks/registry.h"
#include "checks/session_age.h"
#include "checks/transport.h"

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::FailKind;
using Question = RedisConversation::Question;
using Problem = std::optional<CheckResult>;

constexpr std::size_t kLongestNodes = 384 * 1024;  // CLUSTER NODES: some 150 bytes for each node
constexpr int kMostRedirections = 4;
constexpr Duration kCloseWait = std::chrono::milliseconds(200);

class RedisCheck final : public Check {
 public:
  RedisCheck(const CheckContext& context, std::shared_ptr<const RedisSettings> settings)
      : context_(context),
        settings_(std::move(settings)),
        age_(settings_->max_session),
        close_wait_(context.loop, [this] { open(); }),
        patience_(context.loop, [this] {
          on_failed(CheckResult::fail(FailKind::timeout, server_.to_string() + " does not answer"));
        }) {}

  void start(Attempt attempt, TimePoint deadline) override {
    attempt_ = std::move(attempt);
    deadline_ = deadline;
    reused_ = keeps_session();
    if (reused_) return poll();
    session_ ? replace_session() : open();
  }

  bool keeps_session() const noexcept override {
    return session_.has_value() && !age_.over(context_.loop.now());
  }

  const char* phase() const noexcept override {
    if (guide_) return guide_->phase();
    if (session_) return session_->phase();
    return search_ ? "asking the Sentinels for the master" : nullptr;
  }

 private:
  // A new session

  // Closes the old session first and waits until the server has released it: a server at its client limit
  // would otherwise refuse the new one.
  void replace_session() {
    close_wait_.start(std::min(kCloseWait, (deadline_ - context_.loop.now()) / 4));
    session_->part([this] { open(); });
  }

  void open() {
    close_wait_.stop();
    reused_ = false;
    session_.reset();
    problem_.reset();
    if (by_sentinel()) {
      search_.emplace(context_, *settings_, deadline_,
                      SentinelSearch::Events{[this](const Endpoint& master) { connect(master); },
                                             [this](CheckResult result) { finish(std::move(result)); }});
      return search_->next();
    }
    node_ = 0;
    connect(settings_->endpoints.front());
  }

  void connect(const Endpoint& server) {
    server_ = server;
    identity_ = {};
    key_.clear();
    if (const auto others = later_nodes(); others > 0) {
      patience_.start((deadline_ - context_.loop.now()) / static_cast<int>(others + 1));
    }
    session_.emplace(context_, server, settings_->tls,
                     RedisConversation::Events{[this] { log_in(); },
                                               [this](CheckResult result) { on_failed(std::move(result)); }});
  }

  bool by_sentinel() const { return settings_->mode == RedisMode::sentinel; }
  std::size_t later_nodes() const { return by_sentinel() ? 0 : settings_->endpoints.size() - node_ - 1; }

  // The configured nodes are entry points of the cluster: one that works is enough.
  void next_node() { connect(settings_->endpoints[++node_]); }

  void log_in() {
    patience_.stop();
    const bool identify = settings_->mode != RedisMode::single;
    redis_log_in(*session_, settings_->login, settings_->database, identify, [this](const auto& identity) {
      identity_ = identity;
      age_.begin(context_.loop.now());
      if (settings_->mode == RedisMode::cluster && !in_cluster()) {
        return finish(CheckResult::fail(
            FailKind::config, "the server is not a cluster node; remove mode: cluster, or write redis://"));
      }
      if (by_sentinel() && identity_.role == "replica") return on_failed(not_the_master());
      poll();
    });
  }

  bool in_cluster() const { return identity_.mode == "cluster"; }

  static CheckResult not_the_master() {
    return CheckResult::fail(FailKind::answer, "the server is a replica, expected a master");
  }

  // One round

  void poll() {
    redirection_.reset();
    unknown_.reset();
    if (!in_cluster() || !key_.empty()) return ask();
    // Reads the slots when they may have changed. Without permission for that, MOVED shows a change.
    session_->ask(
        {{{"CLUSTER", "NODES"},
          [this](const RedisReply& reply) {
            const auto slots = own_slots(reply.is_error() ? std::string() : reply.text);
            if (!slots.empty())
              key_ = key_in_slots(settings_->key, slots, std::random_device()() % 1'000'000);
            return Problem();
          }}},
        [this] { ask(); }, kLongestNodes);
  }

  void ask() {
    if (key_.empty()) key_ = settings_->key + (in_cluster() ? ":" + random_hex() : "");
    std::vector<Question> questions;
    questions.push_back({{"PING"}, expect_reply("PING", "PONG")});
    if (by_sentinel() && !identity_.role.empty()) {
      questions.push_back({{"HELLO"}, judge_still_master});
    }
    if (settings_->role != RedisRole::any || (by_sentinel() && identity_.role.empty())) {
      const auto role = by_sentinel() ? RedisRole::master : settings_->role;
      questions.push_back({{"INFO", "replication"}, [role](const RedisReply& reply) -> Problem {
                             if (reply.is_error()) return redis_error("INFO", reply.text);
                             return judge_redis_role(role, reply.text);
                           }});
    }
    if (in_cluster()) questions.push_back({{"CLUSTER", "INFO"}, judge_state});
    add_key_questions(questions, false);
    session_->ask(std::move(questions), [this] { on_answers(); });
  }

  static Problem judge_still_master(const RedisReply& reply) {
    if (reply.is_error()) return redis_error("HELLO", reply.text);
    return read_hello(reply).role == "master" ? Problem() : not_the_master();
  }

  // Without permission for CLUSTER INFO, SET and GET show that the cluster is down.
  static Problem judge_state(const RedisReply& reply) {
    if (!reply.is_error()) return judge_cluster_state(reply.text);
    const auto prefix = redis_error_prefix(reply.text);
    return prefix == "NOPERM" || prefix == "ERR" ? Problem() : redis_error("CLUSTER INFO", reply.text);
  }

  // The commands an application uses. A cluster that is down and a Sentinel also answer PING.
  void add_key_questions(std::vector<Question>& questions, bool asking) {
    const auto add = [&](std::vector<std::string> words, RedisConversation::Judge judge) {
      if (asking) questions.push_back({{"ASKING"}, expect_reply("ASKING", "OK")});
      questions.push_back({std::move(words), std::move(judge)});
    };
    if (!settings_->write)
      return add({"GET", key_}, [this](const RedisReply& reply) { return judge_read(reply); });
    const std::string value = random_hex();
    add({"SET", key_, value, "EX", "5"}, unless_elsewhere(expect_reply("SET", "OK")));
    add({"GET", key_}, unless_elsewhere(expect_reply("GET", value)));
  }

  Problem judge_read(const RedisReply& reply) {
    if (!reply.is_error() || redis_error_prefix(reply.text) == "NOPERM") return std::nullopt;
    return unless_elsewhere(
        [](const RedisReply& error) -> Problem { return redis_error("GET", error.text); })(reply);
  }

  // Records a redirection or error instead of the value, for on_answers().
  RedisConversation::Judge unless_elsewhere(RedisConversation::Judge judge) {
    return [this, judge = std::move(judge)](const RedisReply& reply) {
      if (settings_->mode == RedisMode::single) {
        auto problem = judge(reply);
        if (problem && is_unknown_command(reply)) return unknown_ = std::move(problem), Problem();
        return problem;
      }
      const auto found = reply.is_error() ? read_redirection(reply.text, asked()) : std::nullopt;
      if (!found) return redirection_ ? Problem() : judge(reply);
      redirection_ = found;
      return Problem();
    };
  }

  const Endpoint& asked() const { return guide_ ? guide_server_ : server_; }

  void on_answers() {
    if (unknown_) return ask_whether_sentinel();
    if (!redirection_) return pass();
    redirections_ = 0;
    follow();
  }

  // mode: single does not detect the type of server, except if the server does not know GET.
  void ask_whether_sentinel() {
    session_->ask({{{"INFO", "server"},
                    [this](const RedisReply& reply) -> Problem {
                      const bool sentinel = redis_info_value(reply.text, "redis_mode") == "sentinel";
                      return sentinel ? sentinel_instead() : unknown_;
                    }}},
                  [] {});
  }

  // Redirections

  void follow() {
    const auto to = *std::exchange(redirection_, std::nullopt);
    if (++redirections_ > kMostRedirections) {
      return finish(CheckResult::fail(
          FailKind::answer, "the nodes redirect the key to each other, last to " + to.to.to_string()));
    }
    guide_server_ = to.to;
    guide_.emplace(
        context_, to.to, settings_->tls,
        RedisConversation::Events{[this, to] { ask_node(to.ask); },
                                  [this](CheckResult result) { on_failed_elsewhere(std::move(result)); }});
  }

  void ask_node(bool asking) {
    redis_log_in(*guide_, settings_->login, 0, false, [this, asking](const auto&) {
      std::vector<Question> questions;
      add_key_questions(questions, asking);
      guide_->ask(std::move(questions), [this] {
        if (redirection_) return follow();
        key_.clear();  // choose another key, in a slot of our node if it has any
        guide_.reset();
        pass();
      });
    });
  }

  void on_failed_elsewhere(CheckResult result) {
    if (result.error) {
      result.error->message =
          "the key belongs to the node " + guide_server_.to_string() + ": " + result.error->message;
    }
    finish(std::move(result));
  }

  // The end of an attempt

  void pass() {
    if (!attempt_) return;
    std::exchange(attempt_, {})
        .finish(pass_or_expiring(session_->certificate_left(), settings_->min_days_left));
  }

  // Between attempts there is nothing to report.
  void on_failed(CheckResult result) {
    patience_.stop();
    if (!attempt_) return session_.reset();
    const bool refused =
        result.error && (result.error->kind == FailKind::auth || result.error->kind == FailKind::config);
    const bool demoted = by_sentinel() && result.error && result.error->kind == FailKind::answer;
    // The server was restarted or demoted since the last attempt, which says nothing about the new session.
    if (reused_ && (demoted || !session_->answered())) return log_in_anew();
    if (reused_ || refused) return finish(std::move(result));
    if (by_sentinel()) return ask_next_sentinel(std::move(result));
    if (!problem_ || tells_more(result, *problem_)) problem_ = std::move(result);
    later_nodes() > 0 ? next_node() : finish(*std::exchange(problem_, std::nullopt));
  }

  void log_in_anew() {
    if (!context_.begin_anew || !context_.begin_anew()) open();
  }

  void ask_next_sentinel(CheckResult result) {
    if (result.error) {
      result.error->message +=
          " (" + server_.to_string() + ", the master that Sentinel " + search_->named_by() + " names)";
    }
    search_->note(std::move(result));
    session_.reset();
    search_->next();
  }

  // Anything but a pass: the next attempt begins with a new session.
  void finish(CheckResult result) {
    patience_.stop();
    guide_.reset();
    session_.reset();
    search_.reset();
    std::exchange(attempt_, {}).finish(std::move(result));
  }

  const CheckContext context_;
  const std::shared_ptr<const RedisSettings> settings_;  // owners: the plan and every check made from it
  Attempt attempt_;
  TimePoint deadline_{};
  SessionAge age_;
  loop::Timer close_wait_;  // limit for closing the previous session
  bool reused_ = false;     // this attempt uses a kept session
  std::size_t node_ = 0;
  loop::Timer patience_;  // limit for one node if there are others
  std::optional<SentinelSearch> search_;
  Endpoint server_;
  RedisIdentity identity_;
  std::string key_;  // empty: not chosen yet
  std::optional<Redirection> redirection_;
  int redirections_ = 0;
  Problem unknown_;
  Problem problem_;  // first problem of the nodes tried so far
  std::optional<RedisConversation> session_;
  Endpoint guide_server_;
  std::optional<RedisConversation> guide_;  // connection to the node of a redirection
};

}  // namespace

CheckPlan read_redis(const config::CheckSpec& spec, const config::Config&) {
  CheckPlan plan;
  plan.make = [settings = std::make_shared<const RedisSettings>(read_redis_settings(spec, plan))](
                  const CheckContext& context) { return std::make_unique<RedisCheck>(context, settings); };
  return plan;
}

}  // namespace probegate::checks
