#include "proxy/auth_worker.h"

#include <chrono>
#include <map>
#include <unordered_map>
#include <utility>

#include "loop/resolver.h"
#include "loop/worker.h"

namespace probegate::proxy {

// Exists only if `auth` is configured. If a question throws, its session gets no reply and relies on
// its own deadline.
struct AuthWorker::Running {
  explicit Running(Log& log)
      : worker(log, "internal error on the auth loop"),
        resolver(worker.loop()),
        http(worker.loop(), resolver) {}

  struct Asked {
    Question question;
    std::unique_ptr<loop::HttpClient::Call> call;
  };

  loop::Worker worker;
  loop::Resolver resolver;
  loop::HttpClient http;
  std::map<std::uint64_t, Question> waiting;  // by number, so the oldest first
  std::unordered_map<std::uint64_t, Asked> asked;
  bool asking_soon = false;
};

AuthWorker::AuthWorker(Log& log) : log_(log) {}

AuthWorker::~AuthWorker() {
  stop();
  join();
}

void AuthWorker::start(std::function<void()> ended) {
  if (running_) return;
  running_ = std::make_unique<Running>(log_);
  running_->worker.start("auth", std::move(ended));
}

void AuthWorker::stop() {
  if (running_) running_->worker.stop();
}

void AuthWorker::join() {
  if (running_) running_->worker.join();
}

std::optional<std::uint64_t> AuthWorker::ask(loop::HttpRequest request, TimePoint until,
                                             std::shared_ptr<const config::Config> config,
                                             AuthReplies& replies) {
  std::unique_ptr<std::atomic<std::size_t>, GiveBack> place;
  const auto before = questions_.fetch_add(1, std::memory_order_relaxed);
  place.reset(&questions_);
  if (before >= kMostQuestions) return std::nullopt;
  const auto number = last_number_.fetch_add(1, std::memory_order_relaxed) + 1;
  Question question{number, std::move(request), until, std::move(config), &replies, std::move(place)};
  running_->worker.post([this, question = std::move(question)]() mutable {
    running_->waiting.emplace(question.number, std::move(question));
    ask_soon();
  });
  return number;
}

// At most one per question, so their number is bounded too.
void AuthWorker::withdraw(std::uint64_t question) {
  running_->worker.post([this, question] {
    running_->waiting.erase(question);
    running_->asked.erase(question);
    ask_soon();
  });
}

// Runs once for all questions of a turn; those withdrawn in the same turn are not sent.
void AuthWorker::ask_soon() {
  if (running_->asking_soon) return;
  running_->worker.loop().after_turn([this] {
    running_->asking_soon = false;
    ask_waiting();
  });
  running_->asking_soon = true;
}

void AuthWorker::ask_waiting() {
  auto& waiting = running_->waiting;
  while (running_->asked.size() < kMostAsked && !waiting.empty()) {
    Question question = std::move(waiting.extract(waiting.begin()).mapped());
    const auto left = std::chrono::floor<Millis>(question.until - running_->worker.loop().now());
    if (left <= Duration::zero()) continue;  // its session has timed out
    question.request.timeout = left;
    const auto number = question.number;
    auto call = running_->http.start(
        std::move(question.request),
        [this, number](const loop::HttpClient::Outcome& outcome) { answered(number, outcome); });
    running_->asked.emplace(number, Running::Asked{std::move(question), std::move(call)});
  }
}

void AuthWorker::answered(std::uint64_t number, const loop::HttpClient::Outcome& outcome) {
  const auto asked = running_->asked.extract(number);
  const Question& question = asked.mapped().question;
  question.replies->inbox.put({number, judge_auth(*question.config->auth, outcome)});
  question.replies->wakeup.notify();
  ask_waiting();
}

}  // namespace probegate::proxy
