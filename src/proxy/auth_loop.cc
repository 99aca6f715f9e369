#include "proxy/auth_loop.h"

#include <chrono>
#include <map>
#include <thread>
#include <unordered_map>

#include "loop/resolver.h"
#include "loop/thread.h"

namespace probegate::proxy {

// What exists only where `auth` is configured.
struct AuthLoop::Running {
  explicit Running(AuthLoop& owner)
      : loop(owner), resolver(loop), http(loop, resolver), mail(loop, [&owner] { owner.take_mail(); }) {}

  struct Asked {
    Question question;
    std::unique_ptr<loop::HttpClient::Call> call;
  };

  loop::Loop loop;
  loop::Resolver resolver;
  loop::HttpClient http;
  loop::Wakeup mail;
  std::map<std::uint64_t, Question> waiting;  // by number, so the oldest first
  std::unordered_map<std::uint64_t, Asked> asked;
  std::thread thread;
};

AuthLoop::AuthLoop(Log& log) : log_(log) {}

AuthLoop::~AuthLoop() = default;

void AuthLoop::start() {
  if (running_) return;
  running_ = std::make_unique<Running>(*this);
  running_->thread = loop::start_thread("auth", [this] {
    running_->loop.run();
    ended_();
  });
}

void AuthLoop::stop(std::function<void()> ended) {
  ended_ = std::move(ended);
  stopping_.store(true, std::memory_order_release);
  running_->mail.notify();
}

void AuthLoop::join() {
  if (running_ && running_->thread.joinable()) running_->thread.join();
}

std::optional<std::uint64_t> AuthLoop::ask(loop::HttpRequest request, TimePoint until,
                                           std::shared_ptr<const config::Config> config,
                                           AuthReplies& replies) {
  std::unique_ptr<std::atomic<std::size_t>, GiveBack> place;
  const auto before = questions_.fetch_add(1, std::memory_order_relaxed);
  place.reset(&questions_);
  if (before >= kMostQuestions) return std::nullopt;
  const auto number = last_number_.fetch_add(1, std::memory_order_relaxed) + 1;
  inbox_.put(Question{number, std::move(request), until, std::move(config), &replies, std::move(place)});
  running_->mail.notify();
  return number;
}

// At most one for each question, so these are bounded as those are.
void AuthLoop::withdraw(std::uint64_t question) {
  inbox_.put(Withdrawal{question});
  running_->mail.notify();
}

void AuthLoop::take_mail() {
  if (stopping_.load(std::memory_order_acquire)) return running_->loop.stop();
  for (auto& item : inbox_.take_all()) {
    // Entered one by one: what one question throws must not cost the others theirs.
    running_->loop.enter(this, [&] { std::visit([this](auto& one) { take(std::move(one)); }, item); });
  }
  ask_waiting();
}

void AuthLoop::take(Question&& question) {
  const auto number = question.number;
  running_->waiting.emplace(number, std::move(question));
}

void AuthLoop::take(Withdrawal withdrawal) {
  running_->waiting.erase(withdrawal.number);
  running_->asked.erase(withdrawal.number);
}

void AuthLoop::ask_waiting() {
  auto& waiting = running_->waiting;
  while (running_->asked.size() < kMostAsked && !waiting.empty()) {
    Question question = std::move(waiting.extract(waiting.begin()).mapped());
    const auto left = std::chrono::floor<Millis>(question.until - running_->loop.now());
    if (left <= Duration::zero()) continue;  // its session has stopped waiting
    question.request.timeout = left;
    const auto number = question.number;
    auto call = running_->http.start(
        std::move(question.request),
        [this, number](const loop::HttpClient::Outcome& outcome) { answered(number, outcome); });
    running_->asked.emplace(number, Running::Asked{std::move(question), std::move(call)});
  }
}

void AuthLoop::answered(std::uint64_t number, const loop::HttpClient::Outcome& outcome) {
  const auto asked = running_->asked.extract(number);
  const Question& question = asked.mapped().question;
  question.replies->inbox.put({number, judge_auth(*question.config->auth, outcome)});
  question.replies->wakeup.notify();
  ask_waiting();
}

// Whose question it was hears nothing, and goes by its own deadline.
void AuthLoop::on_exception(const std::string& what) noexcept {
  try {
    log_.error("internal error on the auth loop", {{"what", what}});
  } catch (...) {
    // Out of memory even for the message: the loop goes on.
  }
}

}  // namespace probegate::proxy
