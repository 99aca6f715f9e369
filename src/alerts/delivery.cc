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

// The path of a webhook is its password.
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

struct Delivery::Lane {
  explicit Lane(loop::Loop& loop, std::function<void()> again) : pause(loop, std::move(again)) {}

  std::deque<Parcel> parcels;  // the first one is under way
  int attempts = 0;            // of the first one
  TimePoint begun{};
  std::unique_ptr<loop::HttpClient::Call> request;
  std::unique_ptr<loop::MailClient::Call> mail;
  loop::Timer pause;
};

struct Delivery::Running {
  explicit Running(Log& log)
      : worker(log, "internal error on the alerts' loop"),
        loop(worker.loop()),
        resolver(loop),
        http(loop, resolver),
        mails(loop, resolver),
        last_call(loop, [this] { loop.stop(); }) {}

  loop::Worker worker;
  loop::Loop& loop;
  loop::Resolver resolver;
  loop::HttpClient http;
  loop::MailClient mails;
  loop::Timer last_call;
  bool finishing = false;
  std::map<std::string, std::unique_ptr<Lane>> lanes;  // by receiver; bounded by the configuration
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

void Delivery::post(Parcel parcel) {
  if (posted_.fetch_add(1, std::memory_order_relaxed) >= kMostPosted) {
    posted_.fetch_sub(1, std::memory_order_relaxed);
    metrics_.alerts_unposted.add();
    return;
  }
  running_->worker.post([this, parcel = std::move(parcel)]() mutable {
    posted_.fetch_sub(1, std::memory_order_relaxed);
    take(std::move(parcel));
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
  running_->last_call.start(limit);
  // Whoever waits for a later attempt has this one now.
  for (auto& [receiver, lane] : running_->lanes) {
    if (lane->pause.active()) lane->pause.start(Duration::zero());
  }
  end_if_done();
}

void Delivery::take(Parcel parcel) {
  auto& slot = running_->lanes[parcel.receiver];
  if (!slot) {
    const std::string receiver = parcel.receiver;
    slot = std::make_unique<Lane>(running_->loop, [this, receiver] { begin(*running_->lanes.at(receiver)); });
  }
  Lane& lane = *slot;
  if (lane.parcels.size() >= kMostQueued) drop_oldest(lane);
  lane.parcels.push_back(std::move(parcel));
  if (lane.parcels.size() == 1) lane.pause.start(Duration::zero());
}

void Delivery::begin(Lane& lane) {
  const Parcel& parcel = lane.parcels.front();
  if (lane.attempts == 0) lane.begun = running_->loop.now();
  ++lane.attempts;
  try {
    attempt(lane, parcel);
  } catch (const std::exception& error) {  // such as bad_alloc: a failed attempt, and not the lane's end
    conclude(lane, false, false, error.what());
  }
}

void Delivery::attempt(Lane& lane, const Parcel& parcel) {
  if (const auto* request = std::get_if<loop::HttpRequest>(&parcel.content)) {
    lane.request = running_->http.start(*request, [this, &lane](const loop::HttpClient::Outcome& outcome) {
      if (!outcome) {
        const bool hopeless = outcome.error().kind == loop::HttpFailure::Kind::internal;
        return conclude(lane, false, hopeless, outcome.error().message);
      }
      const int status = outcome->status;
      conclude(lane, status >= 200 && status < 300, !worth_another_try(status),
               "the receiver answered " + std::to_string(status));
    });
  } else {
    lane.mail = running_->mails.send(
        std::get<loop::Mail>(parcel.content), [this, &lane](const loop::MailClient::Outcome& outcome) {
          if (outcome) return conclude(lane, true, false, "");
          conclude(lane, false, outcome.error().permanent, outcome.error().message);
        });
  }
}

void Delivery::conclude(Lane& lane, bool delivered, bool permanent, const std::string& why) {
  lane.request.reset();
  lane.mail.reset();
  const Duration pause = kFirstPause * (1 << (2 * (lane.attempts - 1)));
  const bool again = !permanent && lane.attempts < kAttempts && !running_->finishing &&
                     running_->loop.now() + pause - lane.begun < kLifetime;
  if (!delivered && again) return lane.pause.start(pause);
  const Parcel parcel = std::move(lane.parcels.front());
  lane.parcels.pop_front();
  if (delivered) {
    metrics_.alerts[metrics::AlertResult::delivered].add();
    log_.info("alert delivered", {{"alert", parcel.what}, {"to", parcel.shown}, {"attempts", lane.attempts}});
  } else {
    metrics_.alerts[metrics::AlertResult::failed].add();
    log_.warn("alert not delivered", {{"alert", parcel.what},
                                      {"to", parcel.shown},
                                      {"attempts", lane.attempts},
                                      {"why", secrets_of(parcel.receiver).masked(why)}});
  }
  lane.attempts = 0;
  if (!lane.parcels.empty()) return lane.pause.start(Duration::zero());
  end_if_done();
}

// Not the first one, which is under way.
void Delivery::drop_oldest(Lane& lane) {
  const auto oldest = lane.parcels.begin() + 1;
  log_.warn("alert dropped, its receiver takes too long", {{"alert", oldest->what}, {"to", oldest->shown}});
  metrics_.alerts[metrics::AlertResult::dropped].add();
  lane.parcels.erase(oldest);
}

void Delivery::end_if_done() {
  if (!running_->finishing) return;
  for (const auto& [receiver, lane] : running_->lanes) {
    if (!lane->parcels.empty()) return;
  }
  running_->loop.stop();
}

}  // namespace probegate::alerts
