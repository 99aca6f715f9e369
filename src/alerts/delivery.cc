#include "alerts/delivery.h"

#include <deque>
#include <exception>
#include <map>
#include <optional>
#include <utility>

#include "base/redaction.h"
#include "base/text.h"
#include "base/url.h"
#include "loop/resolver.h"
#include "loop/timer.h"
#include "loop/worker.h"

namespace probegate::alerts {
namespace {

bool worth_another_try(int status) {
  return status == 408 || status == 425 || status == 429 || status >= 500;
}

// The path of a webhook URL is secret too.
Secrets secrets_of(const std::string& receiver) {
  Secrets secrets;
  const auto url = parse_url(receiver);
  if (!url) {
    secrets.push_back(receiver);
    return secrets;
  }
  add_secrets(*url, secrets);
  if (url->path.size() > 1) secrets.push_back(url->path);
  return secrets;
}

}  // namespace

struct Delivery::ReceiverQueue {
  explicit ReceiverQueue(loop::Loop& loop, std::function<void()> again) : pause(loop, std::move(again)) {}

  std::deque<Notification> notifications;  // the first one is being sent
  int attempts = 0;                        // of the first one
  TimePoint begun{};
  std::unique_ptr<loop::HttpClient::Call> request;
  std::unique_ptr<loop::MailClient::Call> mail;
  loop::Timer pause;
};

struct Delivery::Running {
  explicit Running(Log& log)
      : worker(log, "internal error on the alerts loop"),
        loop(worker.loop()),
        resolver(loop),
        http(loop, resolver),
        mails(loop, resolver),
        final_deadline(loop, [this] { loop.stop(); }) {}

  loop::Worker worker;
  loop::Loop& loop;
  loop::Resolver resolver;
  loop::HttpClient http;
  loop::MailClient mails;
  loop::Timer final_deadline;
  bool finishing = false;
  std::map<std::string, std::unique_ptr<ReceiverQueue>> queues;  // by receiver; bounded by the configuration
};

Delivery::Delivery(Log& log, metrics::ControlMetrics& metrics, std::function<void()> ended)
    : log_(log), metrics_(metrics), ended_(std::move(ended)) {}

Delivery::~Delivery() {
  if (running_) running_->worker.stop();
  join();
}

void Delivery::start() {
  if (running_) return;
  running_ = std::make_unique<Running>(log_);
  running_->worker.start("alerts", ended_);
}

void Delivery::post(Notification notification) {
  if (posted_.fetch_add(1, std::memory_order_relaxed) >= kMostPosted) {
    posted_.fetch_sub(1, std::memory_order_relaxed);
    metrics_.alerts_unposted.add();
    return;
  }
  running_->worker.post([this, notification = std::move(notification)]() mutable {
    posted_.fetch_sub(1, std::memory_order_relaxed);
    take(std::move(notification));
  });
}

void Delivery::finish(Duration limit) {
  running_->worker.post([this, limit] { finish_within(limit); });
}

void Delivery::join() {
  if (running_) running_->worker.join();
}

void Delivery::finish_within(Duration limit) {
  running_->finishing = true;
  running_->final_deadline.start(limit);
  // Makes pending retries now.
  for (auto& [receiver, queue] : running_->queues) {
    if (queue->pause.active()) queue->pause.start(Duration::zero());
  }
  end_if_done();
}

void Delivery::take(Notification notification) {
  auto& slot = running_->queues[notification.receiver];
  if (!slot) {
    const std::string receiver = notification.receiver;
    slot = std::make_unique<ReceiverQueue>(running_->loop,
                                           [this, receiver] { begin(*running_->queues.at(receiver)); });
  }
  ReceiverQueue& queue = *slot;
  if (queue.notifications.size() >= kMostQueued) drop_oldest(queue);
  queue.notifications.push_back(std::move(notification));
  if (queue.notifications.size() == 1) queue.pause.start(Duration::zero());
}

void Delivery::begin(ReceiverQueue& queue) {
  const Notification& notification = queue.notifications.front();
  if (queue.attempts == 0) queue.begun = running_->loop.now();
  ++queue.attempts;
  try {
    attempt(queue, notification);
  } catch (const std::exception& error) {  // such as bad_alloc: the attempt failed, the queue goes on
    conclude(queue, false, false, error.what());
  }
}

void Delivery::attempt(ReceiverQueue& queue, const Notification& notification) {
  if (const auto* request = std::get_if<loop::HttpRequest>(&notification.content)) {
    queue.request = running_->http.start(*request, [this, &queue](const loop::HttpClient::Outcome& outcome) {
      if (!outcome) {
        const bool hopeless = outcome.error().kind == loop::HttpFailure::Kind::internal;
        return conclude(queue, false, hopeless, outcome.error().message);
      }
      const int status = outcome->status;
      conclude(queue, status >= 200 && status < 300, !worth_another_try(status),
               "the receiver answered " + std::to_string(status));
    });
  } else {
    queue.mail = running_->mails.send(
        std::get<loop::Mail>(notification.content), [this, &queue](const loop::MailClient::Outcome& outcome) {
          if (outcome) return conclude(queue, true, false, "");
          conclude(queue, false, outcome.error().permanent, outcome.error().message);
        });
  }
}

void Delivery::conclude(ReceiverQueue& queue, bool delivered, bool permanent, const std::string& why) {
  queue.request.reset();
  queue.mail.reset();
  const Duration pause = kFirstPause * (1 << (2 * (queue.attempts - 1)));
  const bool again = !permanent && queue.attempts < kAttempts && !running_->finishing &&
                     running_->loop.now() + pause - queue.begun < kLifetime;
  if (!delivered && again) return queue.pause.start(pause);
  const Notification notification = std::move(queue.notifications.front());
  queue.notifications.pop_front();
  if (delivered) {
    metrics_.alerts[metrics::AlertResult::delivered].add();
    log_.info("alert delivered",
              {{"alert", notification.what}, {"to", notification.shown}, {"attempts", queue.attempts}});
  } else {
    metrics_.alerts[metrics::AlertResult::failed].add();
    log_.warn("alert not delivered", {{"alert", notification.what},
                                      {"to", notification.shown},
                                      {"attempts", queue.attempts},
                                      {"why", secrets_of(notification.receiver).masked(why)}});
  }
  queue.attempts = 0;
  if (!queue.notifications.empty()) return queue.pause.start(Duration::zero());
  end_if_done();
}

// Drops the second: the first one is being sent.
void Delivery::drop_oldest(ReceiverQueue& queue) {
  const auto oldest = queue.notifications.begin() + 1;
  log_.warn("alert dropped; the receiver is too slow", {{"alert", oldest->what}, {"to", oldest->shown}});
  metrics_.alerts[metrics::AlertResult::dropped].add();
  queue.notifications.erase(oldest);
}

void Delivery::end_if_done() {
  if (!running_->finishing) return;
  for (const auto& [receiver, queue] : running_->queues) {
    if (!queue->notifications.empty()) return;
  }
  running_->loop.stop();
}

}  // namespace probegate::alerts
