#include "checks/redis_sentinel.h"

#include <utility>

#include "base/text.h"
#include "checks/redis_answers.h"
#include "checks/redis_login.h"

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::FailKind;

std::optional<Endpoint> read_master(const RedisReply& reply) {
  if (reply.items.size() != 2) return std::nullopt;
  const auto port = parse_decimal<std::uint16_t>(reply.items[1].text);
  if (!port || *port == 0 || reply.items[0].text.empty()) return std::nullopt;
  return Endpoint::tcp(reply.items[0].text, *port);
}

}  // namespace

SentinelSearch::SentinelSearch(const CheckContext& context, const RedisSettings& settings, TimePoint deadline,
                               Events events)
    : context_(context),
      settings_(settings),
      deadline_(deadline),
      events_(std::move(events)),
      patience_(context.loop, [this] { give_up(CheckResult::fail(FailKind::timeout, "no answer")); }) {}

std::string SentinelSearch::named_by() const { return settings_.endpoints[asked_ - 1].to_string(); }

void SentinelSearch::note(CheckResult problem) {
  if (!problem_ || tells_more(problem, *problem_)) problem_ = std::move(problem);
}

void SentinelSearch::next() {
  const std::size_t left = settings_.endpoints.size() - asked_;
  if (left == 0) return events_.failed(*problem_);
  const auto& sentinel = settings_.endpoints[asked_++];
  master_.reset();
  patience_.start((deadline_ - context_.loop.now()) / static_cast<int>(left + 1));
  conversation_.emplace(
      context_, sentinel, settings_.sentinel_tls,
      RedisConversation::Events{[this] { log_in(); },
                                [this](CheckResult problem) { give_up(std::move(problem)); }});
}

void SentinelSearch::log_in() {
  redis_log_in(*conversation_, settings_.sentinel_login, 0, false, [this](const RedisIdentity&) {
    conversation_->ask({{{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", settings_.master},
                         [this](const RedisReply& reply) { return judge(reply); }}},
                       [this] {
                         patience_.stop();
                         conversation_.reset();
                         if (last_master_ == master_) return next();  // already known not to be the master
                         last_master_ = master_;
                         events_.found(*master_);
                       });
  });
}

std::optional<CheckResult> SentinelSearch::judge(const RedisReply& reply) {
  if (is_unknown_command(reply)) {
    return CheckResult::fail(FailKind::config,
                             "is not a Sentinel; for a Redis server, write redis:// or mode: single");
  }
  if (reply.is_error()) return redis_error("SENTINEL", reply.text);
  if (reply.is_nil())
    return CheckResult::fail(FailKind::config, "knows no master named \"" + settings_.master + '"');
  master_ = read_master(reply);
  if (!master_) return CheckResult::fail(FailKind::protocol, "the answer names no address of a master");
  return std::nullopt;
}

void SentinelSearch::give_up(CheckResult problem) {
  patience_.stop();
  conversation_.reset();
  if (problem.error) problem.error->message = "Sentinel " + named_by() + ": " + problem.error->message;
  note(std::move(problem));
  next();
}

}  // namespace probegate::checks
