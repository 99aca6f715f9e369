#include "alerts/message.h"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace probegate::alerts {
namespace {

constexpr int kVersion = 1;
constexpr std::size_t kLongestLine = 900;  // RFC 5322 section 2.1.1 allows 998

std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool about_a_check(Kind kind) {
  return kind == Kind::check_down || kind == Kind::check_up || kind == Kind::flapping;
}

// Escapes the three characters of https://api.slack.com/reference/surfaces/formatting#escaping; otherwise a
// text could mention @channel.
std::string for_slack(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string mark(Phase phase) {
  return phase == Phase::event ? "" : "[" + std::string(to_string(phase)) + "] ";
}

// A header value: one line of ASCII, so that a text cannot add header lines.
std::string one_line(std::string_view text) {
  std::string out(text.substr(0, kLongestLine));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

std::string mail_date(WallTime time) {
  const std::time_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[48];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &utc)};
}

void add_line(std::string& out, std::string_view line) {
  do {
    out.append(line.substr(0, kLongestLine)).append("\r\n");
    line.remove_prefix(std::min(kLongestLine, line.size()));
  } while (!line.empty());
}

}  // namespace

std::string webhook_json(const Message& message, const Sender& sender) {
  nlohmann::ordered_json json{
      {"version", kVersion},         {"event", to_string(message.kind)}, {"phase", to_string(message.phase)},
      {"subject", message.subject},  {"message", message.text},          {"service", sender.service},
      {"instance", sender.instance}, {"timestamp", iso8601(message.at)}};
  if (about_a_check(message.kind)) json["check"] = message.subject;
  if (!message.target.empty()) json["target"] = message.target;
  if (message.since) json["since"] = iso8601(*message.since);
  return dump(json);
}

std::string slack_json(const Message& message, const Sender& sender) {
  return dump(
      {{"text", mark(message.phase) + "*" + for_slack(sender.service) + "*: " + for_slack(message.text)}});
}

std::string mail_text(const Message& message, const Sender& sender, const std::string& from,
                      const std::vector<std::string>& recipients, std::uint64_t number) {
  std::string to;
  for (const auto& recipient : recipients) to += (to.empty() ? "" : ",\r\n ") + one_line(recipient);
  std::string out;
  add_line(out, "Date: " + mail_date(message.at));
  add_line(out, "From: probegate <" + one_line(from) + ">");
  out += "To: " + to + "\r\n";
  add_line(out, "Subject: " + one_line(mark(message.phase) + sender.service + ": " + message.text));
  add_line(out, "Message-ID: <" + std::to_string(message.at.time_since_epoch().count()) + "." +
                    std::to_string(number) + "@" + one_line(sender.instance) + ">");
  add_line(out, "Auto-Submitted: auto-generated");  // RFC 3834: no vacation notice answers this
  add_line(out, "MIME-Version: 1.0");
  add_line(out, "Content-Type: text/plain; charset=utf-8");
  add_line(out, "Content-Transfer-Encoding: 8bit");
  add_line(out, "");
  std::string text = message.text;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
  add_line(out, text);
  add_line(out, "");
  add_line(out,
           "event:    " + std::string(to_string(message.kind)) + " " + std::string(to_string(message.phase)));
  add_line(out, "subject:  " + message.subject);
  if (!message.target.empty()) add_line(out, "target:   " + message.target);
  add_line(out, "service:  " + sender.service);
  add_line(out, "instance: " + sender.instance);
  add_line(out, "time:     " + iso8601(message.at));
  if (message.since) add_line(out, "since:    " + iso8601(*message.since));
  return out;
}

}  // namespace probegate::alerts
