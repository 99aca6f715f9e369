#include "alerts/alerts.h"

#include <algorithm>
#include <utility>

namespace probegate::alerts {
namespace {

using namespace std::chrono_literals;

constexpr Duration kMinute = 1min;

PolicyOptions policy_options(const config::Alert& alert) {
  PolicyOptions options;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    const auto word = to_string(static_cast<Kind>(kind));
    options.on[kind] = std::find(alert.on.begin(), alert.on.end(), word) != alert.on.end();
  }
  options.reminder = alert.reminder;
  options.refused_per_minute = alert.refused_per_minute;
  options.tunnels_lost_per_minute = alert.tunnels_lost_per_minute;
  return options;
}

loop::HttpRequest webhook(const config::Alert& alert, std::string body) {
  loop::HttpRequest request;
  request.method = "POST";
  request.url = alert.to;
  request.headers = {{"content-type", "application/json"}};
  request.body = std::move(body);
  request.timeout = alert.timeout;
  request.tls = loop::TlsSettings{"", alert.tls.ca_file, alert.tls.verify};
  return request;
}

}  // namespace

Alerts::Alerts(loop::Loop& loop, const std::vector<config::Alert>& receivers, Sender sender, Log& log,
               metrics::ControlMetrics& metrics, Totals totals)
    : loop_(loop),
      sender_(std::move(sender)),
      totals_(std::move(totals)),
      minute_ends_(loop.now() + kMinute),
      delivery_(log, metrics),
      timer_(loop, [this] { on_timer(); }) {
  for (const auto& alert : receivers) receivers_.push_back({alert, Policy(policy_options(alert))});
  if (!receivers_.empty()) delivery_.start();
  schedule();
}

void Alerts::on_event(const health::Event& event) {
  if (ended_) return;
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
  }
  if (!receivers_.empty()) delivery_.start();
  schedule();
}

void Alerts::end() {
  ended_ = true;
  timer_.stop();
}

void Alerts::finish(Duration limit, std::function<void()> ended) {
  end();
  delivery_.finish(limit, std::move(ended));
}

void Alerts::post(const Receiver& receiver, const std::vector<Message>& messages) {
  const auto& alert = receiver.alert;
  for (const auto& message : messages) {
    Parcel parcel{alert.to, alert.shown, std::string(to_string(message.kind)) + " " + message.subject, {}};
    if (alert.mail) {
      const std::string from = alert.from.value_or("probegate@" + sender_.instance);
      parcel.content = loop::Mail{alert.to,
                                  alert.user,
                                  alert.password.value_or(""),
                                  from,
                                  alert.recipients,
                                  mail_text(message, sender_, from, alert.recipients, ++mails_),
                                  alert.timeout,
                                  {"", alert.tls.ca_file, alert.tls.verify}};
    } else {
      parcel.content =
          webhook(alert, alert.slack ? slack_json(message, sender_) : webhook_json(message, sender_));
    }
    delivery_.post(std::move(parcel));
  }
}

void Alerts::on_timer() {
  for (auto& receiver : receivers_) post(receiver, receiver.policy.on_time(moment()));
  if (loop_.now() >= minute_ends_) {
    const Traffic total = totals_();
    const Traffic minute{total.refused - minute_began_with_.refused,
                         total.tunnels_lost - minute_began_with_.tunnels_lost};
    for (auto& receiver : receivers_) post(receiver, receiver.policy.on_minute(minute, moment()));
    minute_began_with_ = total;
    minute_ends_ = loop_.now() + kMinute;
  }
  schedule();
}

// A gate whose receivers have nothing to wait for does not wake up.
void Alerts::schedule() {
  std::optional<TimePoint> next;
  const auto consider = [&](std::optional<TimePoint> due) {
    if (due) next = next ? std::min(*next, *due) : *due;
  };
  for (const auto& receiver : receivers_) {
    consider(receiver.policy.next_due());
    if (receiver.policy.options().has_thresholds()) consider(minute_ends_);
  }
  if (!next || ended_) return timer_.stop();
  timer_.start(std::max(*next - loop_.now(), Duration(1ms)));
}

}  // namespace probegate::alerts
