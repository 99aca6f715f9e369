#include "alerts/alerts.h"

#include <algorithm>
#include <utility>

namespace probegate::alerts {
namespace {

using namespace std::chrono_literals;

PolicyOptions policy_options(const config::Alert& alert) {
  PolicyOptions options;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    const auto word = to_string(static_cast<Kind>(kind));
    options.on[kind] = std::find(alert.on.begin(), alert.on.end(), word) != alert.on.end();
  }
  options.reminder = alert.reminder;
  options.thresholds = alert.thresholds;
  return options;
}

// A counter decreases if a reload has removed a check; then it counts as unchanged.
config::Span growth(const config::Span& before, const config::Span& now, Duration length) {
  config::Span span = now;
  span.length = length;
  for (const auto counter :
       {&config::Span::messages, &config::Span::requests, &config::Span::refused,
        &config::Span::upgrades_accepted, &config::Span::upgrades_refused, &config::Span::upgrades_failed,
        &config::Span::tunnel_lost, &config::Span::check_failures, &config::Span::backend_restarts}) {
    span.*counter = std::max(0.0, now.*counter - before.*counter);
  }
  return span;
}

loop::TlsSettings tls_settings(const config::Alert& alert) {
  return {"", alert.tls.ca_file, alert.tls.verify, alert.tls.cert_file, alert.tls.key_file};
}

loop::HttpRequest webhook(const config::Alert& alert, std::string body) {
  loop::HttpRequest request;
  request.method = "POST";
  request.url = alert.to;
  request.headers = {{"content-type", "application/json"}};
  request.body = std::move(body);
  request.timeout = alert.timeout;
  request.tls = tls_settings(alert);
  return request;
}

}  // namespace

Alerts::Alerts(loop::Loop& loop, const std::vector<config::Alert>& receivers, Sender sender, Log& log,
               metrics::ControlMetrics& metrics, Totals totals, std::function<void()> finished)
    : loop_(loop),
      sender_(std::move(sender)),
      totals_(std::move(totals)),
      finished_(loop, std::move(finished)),
      delivery_(log, metrics, [this] { finished_.notify(); }),
      timer_(loop, [this] { on_timer(); }) {
  for (const auto& alert : receivers) {
    receivers_.push_back({alert, Policy(policy_options(alert))});
    begin_window(receivers_.back());
  }
  if (!receivers_.empty()) delivery_.start();
  schedule();
}

void Alerts::on_event(const health::Event& event) {
  for (auto& receiver : receivers_) post(receiver, receiver.policy.on_event(event, loop_.now()));
  schedule();
}

void Alerts::reload(const std::vector<config::Alert>& receivers, const Known& known) {
  auto old = std::exchange(receivers_, {});
  for (const auto& alert : receivers) {
    const auto before = std::find_if(old.begin(), old.end(),
                                     [&](const Receiver& receiver) { return receiver.alert.to == alert.to; });
    if (before == old.end()) {
      receivers_.push_back({alert, Policy(policy_options(alert))});
      receivers_.back().policy.begin_late(known.opened, known.failing, moment());
    } else {
      receivers_.push_back({alert, std::move(before->policy)});
      receivers_.back().policy.set_options(policy_options(alert));
      receivers_.back().policy.keep_checks(known.checks);
      old.erase(before);
    }
    begin_window(receivers_.back());  // the thresholds may have changed
  }
  if (!receivers_.empty()) delivery_.start();
  schedule();
}

void Alerts::end() { timer_.stop(); }

void Alerts::post(const Receiver& receiver, const std::vector<Message>& messages) {
  const auto& alert = receiver.alert;
  for (const auto& message : messages) {
    Notification notification{
        alert.to, alert.shown, std::string(to_string(message.kind)) + " " + message.subject, {}};
    if (alert.mail) {
      const std::string from = alert.from.value_or("probegate@" + sender_.instance);
      notification.content = loop::Mail{
          alert.to,      alert.user,         alert.password.value_or(""),
          from,          alert.recipients,   mail_text(message, sender_, from, alert.recipients, ++mails_),
          alert.timeout, tls_settings(alert)};
    } else {
      notification.content =
          webhook(alert, alert.slack ? slack_json(message, sender_) : webhook_json(message, sender_));
    }
    delivery_.post(std::move(notification));
  }
}

void Alerts::begin_window(Receiver& receiver) const {
  if (!receiver.policy.options().has_thresholds()) return;
  receiver.window_began = loop_.now();
  receiver.began_with = totals_();
}

void Alerts::end_window(Receiver& receiver) {
  const config::Span span = growth(receiver.began_with, totals_(), loop_.now() - receiver.window_began);
  post(receiver, receiver.policy.on_window(span, moment()));
  begin_window(receiver);
}

void Alerts::on_timer() {
  for (auto& receiver : receivers_) {
    post(receiver, receiver.policy.on_time(moment()));
    const bool judges = receiver.policy.options().has_thresholds();
    if (judges && loop_.now() >= receiver.window_began + receiver.alert.window) end_window(receiver);
  }
  schedule();
}

// Stops the timer if no receiver waits for anything, so that an idle process does not wake up.
void Alerts::schedule() {
  std::optional<TimePoint> next;
  const auto consider = [&](std::optional<TimePoint> due) {
    if (due) next = next ? std::min(*next, *due) : *due;
  };
  for (const auto& receiver : receivers_) {
    consider(receiver.policy.next_due());
    if (receiver.policy.options().has_thresholds()) {
      consider(receiver.window_began + receiver.alert.window);
    }
  }
  if (!next) return timer_.stop();
  timer_.start(std::max(*next - loop_.now(), Duration(1ms)));
}

}  // namespace probegate::alerts
