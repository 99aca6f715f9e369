#include <algorithm>

#include "base/text.h"
#include "base/url.h"
#include "config/describe.h"
#include "config/read_config.h"
#include "config/read_tls.h"
#include "config/secrets.h"

namespace probegate::config {
namespace {

constexpr std::string_view kSlackHost = "https://hooks.slack.com/";

bool has_scheme(std::string_view url, std::initializer_list<std::string_view> schemes) {
  return std::any_of(schemes.begin(), schemes.end(),
                     [&](std::string_view scheme) { return url.starts_with(scheme); });
}

// True if the text fits on one line of a mail header or envelope.
bool is_address(std::string_view text) {
  return !text.empty() && text.find_first_of("\r\n<> \t,") == text.npos;
}

void read_mail(const Fields& fields, Alert& alert) {
  alert.from = fields.optional_text("from");
  alert.recipients = fields.text_list("recipients", alert.recipients);
  alert.user = fields.optional_text("user");
  alert.password = fields.secret("password");
  const auto wrong = [](const std::string& text) { return quote(text) + " is not a valid e-mail address"; };
  if (alert.from && !is_address(*alert.from)) fields.problem("from", wrong(*alert.from));
  for (std::size_t i = 0; i < alert.recipients.size(); ++i) {
    if (!is_address(alert.recipients[i])) fields.item_problem("recipients", i, wrong(alert.recipients[i]));
  }
  if (alert.recipients.empty()) fields.problem("recipients", "an empty list; at least one address is needed");
  if (alert.user && !alert.password) fields.problem("user", "user needs password or password_file");
  if (alert.mail) return;
  for (const auto* key : {"from", "user", "password", "password_file"}) {
    if (fields.has(key)) fields.contradiction(key, "is for smtp:// and smtps:// only");
  }
}

void read_thresholds(const Fields& fields, Alert& alert) {
  const auto texts = fields.text_list("thresholds", {});
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto condition = parse_condition(texts[i], Observer::self);
    if (!condition) {
      fields.item_problem("thresholds", i, condition.error().message);
    } else if (std::find(texts.begin(), texts.begin() + static_cast<std::ptrdiff_t>(i), texts[i]) !=
               texts.begin() + static_cast<std::ptrdiff_t>(i)) {
      fields.item_problem("thresholds", i, "duplicate entry " + quote(texts[i]));
    } else {
      alert.thresholds.push_back(std::move(*condition));
    }
  }
  alert.window = fields.duration("window", alert.window, 1s);
}

Alert read_alert(const Fields& fields, const CheckTypes& types) {
  const std::initializer_list<std::string_view> events = {
      "ready", "startup_timeout", "check_down", "check_up", "restart", "flapping", "threshold"};
  Alert alert;
  alert.to = fields.secret_path_url("to").value_or("");
  alert.shown = hide_path_of_url(alert.to);
  if (!has_scheme(alert.to, {"https://", "http://", "smtp://", "smtps://"})) {
    fields.problem("to", "must be a URL that begins with https://, http://, smtp:// or smtps://");
  } else if (const auto url = parse_url(alert.to); !url) {
    fields.problem("to", "is not a valid URL: " + url.error().message);
  }
  alert.mail = has_scheme(alert.to, {"smtp://", "smtps://"});
  alert.on = fields.choices("on", {events.begin(), events.end()}, events);
  if (alert.on.empty())
    fields.problem("on", "an empty list sends nothing; remove the key to send all events");
  const auto format = fields.choice("format", "auto", {"auto", "json", "slack"});
  alert.slack = format == "slack" || (format == "auto" && alert.to.starts_with(kSlackHost));
  alert.reminder = fields.duration("reminder", alert.reminder);
  alert.timeout = fields.duration("timeout", alert.timeout, 1ms);
  read_thresholds(fields, alert);
  read_mail(fields, alert);
  alert.tls = read_tls(fields, TlsKeys::receiver, types);
  if (alert.to.starts_with("http://") && fields.has("tls"))
    fields.contradiction("tls", "`to` does not use TLS; write https://, or remove tls");
  return alert;
}

}  // namespace

std::vector<Alert> read_alerts(const Fields& root, const CheckTypes& types) {
  std::vector<Alert> alerts;
  for (const auto& fields : root.section_list("alerts")) alerts.push_back(read_alert(fields, types));
  return alerts;
}

}  // namespace probegate::config
