#include "probe/status_page.h"

#include <algorithm>

#include "base/html_text.h"
#include "base/text.h"
#include "probe/client_outcome.h"
#include "probe/drain_and_pause.h"
#include "probe/page_assets.h"
#include "probe/page_parts.h"

namespace probegate::probe {
namespace {

using health::CheckStatus;
using health::Event;
using health::EventKind;

constexpr std::size_t kEventsShown = 30;

std::string_view tone(CheckStatus status) {
  switch (status) {
    case CheckStatus::pass: return "good";
    case CheckStatus::warn: return "warn";
    case CheckStatus::fail: return "bad";
    case CheckStatus::waiting:
    case CheckStatus::unknown: return "dim";
  }
  return "dim";
}

// The CSS class for a word of an event.
std::string_view tone(std::string_view word) {
  for (const std::string_view good : {"pass", "open", "applied"}) {
    if (word == good) return "good";
  }
  for (const std::string_view bad : {"fail", "failed", "closed", "refused"}) {
    if (word == bad) return "bad";
  }
  return word == "warn" || word == "draining" || word == "paused" || word == "reached" ? "warn" : "dim";
}

std::string spaced(std::string_view word) {
  std::string text(word);
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

std::string tag(std::string_view css_class, std::string_view text) {
  return "<strong class=\"tag " + std::string(css_class) + "\">" + escaped_html(text) + "</strong>";
}

std::string cell(std::string_view html, std::string_view css_class = {}) {
  std::string out = css_class.empty() ? "<td>" : "<td class=\"" + std::string(css_class) + "\">";
  return out.append(html).append("</td>");
}

std::string table(std::string_view caption, std::initializer_list<std::string_view> columns,
                  const std::string& rows) {
  std::string out = "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"" +
                    std::string(caption) + "\"><table>\n<caption>" + std::string(caption) +
                    "</caption>\n<thead><tr>";
  for (const auto column : columns) out.append("<th scope=\"col\">").append(column).append("</th>");
  return out + "</tr></thead>\n<tbody>\n" + rows + "</tbody></table></div>\n";
}

std::string error_text(const health::CheckError& error, health::Details details) {
  std::string text(to_string(error.kind));
  if (!error.sqlstate.empty()) text += " (SQLSTATE " + error.sqlstate + ")";
  if (details == health::Details::summary) return text;
  return text + ": " + error.message;
}

std::string affects_text(const health::Affects& affects) {
  std::vector<std::string> words;
  if (affects.startup) words.emplace_back("startup");
  if (affects.readiness) words.emplace_back("readiness");
  if (affects.traffic) words.emplace_back("traffic");
  return words.empty() ? "reported only" : joined(words);
}

const std::string& name(const StatusView& view, std::size_t check) {
  return (*view.snapshot.policies)[check].name;
}

std::string target_text(const StatusView& view, std::size_t check) {
  const auto& target = (*view.snapshot.policies)[check].target;
  if (target.empty() || view.details == health::Details::summary) return {};
  return " <span class=\"dim target\">" + escaped_html(target) + "</span>";
}

std::string age(const StatusView& view, Duration since_start) {
  return ago(view.now - view.snapshot.started - since_start);
}

// The current error of the check, or else its last one.
std::string why(const StatusView& view, std::size_t check) {
  const health::CheckState& state = view.snapshot.checks[check];
  if (state.status == CheckStatus::waiting) {
    std::vector<std::string> names;
    for (const std::size_t need : state.waiting_for) names.push_back(name(view, need));
    return "waits for " + escaped_html(joined(names));
  }
  if (state.error) return escaped_html(error_text(*state.error, view.details));
  const auto& events = view.source.history().events();
  const auto last = std::find_if(events.rbegin(), events.rend(), [&](const Event& event) {
    return event.kind == EventKind::check && event.check == name(view, check) && event.error;
  });
  if (last == events.rend()) return {};
  return "<span class=\"dim\">last: " + escaped_html(error_text(*last->error, view.details)) + ", " +
         age(view, last->since_start) + "</span>";
}

// The state of the gate, with the checks that readiness or the gate waits for.
std::string gate_sentence(const StatusView& view) {
  const bool open = view.snapshot.gate == health::GateState::open;
  std::string out = "The gate is <strong>" + std::string(to_string(view.snapshot.gate)) + "</strong>";
  if (!view.snapshot.waiting_for.empty()) {
    const std::string names = escaped_html(joined(view.snapshot.waiting_names()));
    out += open ? ", not ready because of " + names + "; new clients are still let in"
                : ", waiting for <strong>" + names + "</strong>";
  }
  out += ".";
  if (!view.snapshot.stuck_loops.empty()) out += " Blocked: " + escaped_html(view.snapshot.stuck_loops) + ".";
  return out;
}

std::string clients_section(const TrafficReport& traffic) {
  std::string out;
  for (const auto& concern : concerns(traffic))
    out += "<p class=\"concern\">" + escaped_html(concern) + ".</p>\n";
  out += "<dl id=\"clients\">\n<div><dt>upgrades, last minute</dt><dd>" + upgrades_text(traffic.minute) +
         "</dd></div>\n<div><dt>requests, last minute</dt><dd>" + requests_text(traffic.minute) +
         "</dd></div>\n";
  if (traffic.auth_breaker_open) {
    out += "<div><dt>auth breaker</dt><dd>" + std::string(*traffic.auth_breaker_open ? "open" : "closed") +
           "</dd></div>\n";
  }
  if (const auto text = connections_text(traffic.connections); !text.empty()) {
    out += "<div><dt>connections</dt><dd>" + text + "</dd></div>\n";
  }
  return out + "</dl>\n";
}

std::string identity(const StatusView& view) {
  const About& about = view.source.about();
  std::string out = "<p id=\"identity\" class=\"dim\">service <strong>" + escaped_html(about.service) +
                    "</strong>, instance <strong>" + escaped_html(about.instance) + "</strong>";
  if (view.details == health::Details::full) {
    out += ", backend <strong>" + escaped_html(about.backend) + "</strong>, configuration <strong>" +
           escaped_html(about.config) + "</strong>";
  }
  return out + "</p>\n";
}

std::string title(const StatusView& view) {
  return spaced(judge(health::Document::readiness, view.snapshot).word) + ", " +
         escaped_html(view.source.about().instance);
}

std::string headline(const StatusView& view, const TrafficReport& traffic) {
  const health::Judgement judgement = judge(health::Document::readiness, view.snapshot);
  const bool meant = view.snapshot.drain || view.snapshot.pause;
  const bool served = concerns(traffic).empty();
  std::string out = "<section id=\"state\" class=\"";
  out.append(judgement.ok && served ? "good" : judgement.ok || meant ? "warn" : "bad");
  out.append("\" data-title=\"").append(title(view)).append("\">\n<h1>");
  out.append(spaced(judgement.word)).append("</h1>\n<p id=\"summary\" role=\"status\">");
  out.append(gate_sentence(view)).append("</p>\n");
  if (const auto text = drain_or_pause_text(view.snapshot, traffic.total.busy, view.details); !text.empty())
    out += "<p id=\"by-hand\">" + escaped_html(text) + ".</p>\n";
  out += clients_section(traffic);
  if (const auto& starts = view.source.history().starts(); starts && starts->restart_loop) {
    out += "<p id=\"restarts\">Restart loop: <strong>" + std::to_string(starts->recent) + " starts within " +
           format_duration(starts->window) + "</strong>; the previous process ended as " +
           escaped_html(starts->last_end) + ".</p>\n";
  }
  if (view.snapshot.waiting_for.empty()) return out + "</section>\n";

  out += "<ul id=\"causes\">\n";
  for (const std::size_t check : view.snapshot.waiting_for) {
    const auto& error = view.snapshot.checks[check].error;
    out += "<li><strong>" + escaped_html(name(view, check)) + "</strong>: " +
           (error ? escaped_html(error_text(*error, view.details)) : std::string("no answer yet")) +
           target_text(view, check) + "</li>\n";
  }
  return out + "</ul>\n</section>\n";
}

std::string figures(const StatusView& view, const TrafficReport& traffic) {
  std::string out = "<dl id=\"figures\">\n";
  const auto figure = [&](std::string_view what, const std::string& value) {
    out.append("<div><dt>").append(what).append("</dt><dd>").append(value).append("</dd></div>\n");
  };
  figure("tunnels", std::to_string(traffic.total.tunnels));
  figure("messages per minute", std::to_string(traffic.minute.messages));
  figure("requests per minute", std::to_string(traffic.minute.requests));
  figure("refused per minute", std::to_string(traffic.minute.refused));
  figure("tunnels lost per minute", std::to_string(traffic.minute.tunnels_lost));
  figure("held for the gate", std::to_string(traffic.total.held));
  figure("gate first open after", view.snapshot.startup ? seconds_text(*view.snapshot.startup) : "not yet");
  figure("up for", seconds_text(view.now - view.snapshot.started));
  return out + "</dl>\n";
}

std::string check_table(const StatusView& view) {
  std::string rows;
  for (std::size_t i = 0; i < view.snapshot.checks.size(); ++i) {
    const health::CheckState& state = view.snapshot.checks[i];
    const auto& policy = (*view.snapshot.policies)[i];
    const auto next = view.source.next_run(i);
    const bool waits = state.status == CheckStatus::waiting;
    rows += "<tr><th scope=\"row\">" + escaped_html(policy.name) + " <span class=\"dim\">" +
            escaped_html(policy.type) + "</span>" + target_text(view, i) + "</th>";
    rows += cell(tag(tone(state.status), to_string(state.status)));
    rows += cell(why(view, i), "why");
    rows += cell(affects_text(policy.affects));
    rows +=
        cell((state.latency ? millis_text(*state.latency) : "") + sparkline(view.source.history().samples(i)),
             "number");
    const auto last_run = view.source.history().last_run(i);
    rows += cell(age(view, view.source.history().changed(i)), "number");
    rows += cell(last_run ? age(view, *last_run) : "never", "number");
    rows += cell(next ? "in " + seconds_text(*next - view.now) : waits ? "waits" : "under way", "number");
    rows += cell(std::to_string(state.runs) + " / " + std::to_string(state.failures), "number") + "</tr>\n";
  }
  if (rows.empty()) rows = "<tr><td colspan=\"9\" class=\"dim\">no checks are configured</td></tr>\n";
  return table(
      "Checks",
      {"Check", "Status", "Why", "Affects", "Latency", "Since", "Last run", "Next run", "Runs / failed"},
      rows);
}

std::string timeline_table(const StatusView& view) {
  const health::History& history = view.source.history();
  const Duration up = view.now - view.snapshot.started;
  // After the opening the scale is fixed; bars of checks that have not passed run over its right end.
  const Duration whole = history.opened_after() ? *history.opened_after() * 5 / 4 : up;
  std::string rows;
  for (const auto& step : history.timeline()) {
    rows += "<tr><th scope=\"row\">" + escaped_html(step.check) + "</th>";
    rows += cell(step.runnable ? seconds_text(*step.runnable) : "waits", "number");
    rows += cell(step.passed ? seconds_text(*step.passed) : "not yet", "number");
    rows += cell(step.passed && step.runnable ? seconds_text(*step.passed - *step.runnable) : "", "number");
    const Duration end = step.passed.value_or(up);
    rows += cell(waterfall_bar({step.runnable, end, whole, step.passed.has_value(), history.opened_after()}),
                 "fall") +
            "</tr>\n";
  }
  if (history.opened_after()) {
    rows += "<tr><th scope=\"row\">gate opened</th><td></td>" +
            cell(seconds_text(*history.opened_after()), "number") + "<td></td><td></td></tr>\n";
  }
  return table("Start-up", {"Step", "Could run at", "Passed at", "Took", "Timeline"}, rows);
}

std::string refusals_table(const TrafficReport& traffic, TimePoint now) {
  std::string rows;
  for (std::size_t i = 0; i < metrics::label_count<metrics::Reason>; ++i) {
    const auto reason = static_cast<metrics::Reason>(i);
    if (traffic.total.refused[reason] == 0) continue;
    const auto last = std::find_if(traffic.refusals.rbegin(), traffic.refusals.rend(),
                                   [&](const metrics::Refusals& some) { return some.reason == reason; });
    rows += "<tr><th scope=\"row\">" + std::string(metrics::to_string(reason)) + "</th>";
    rows += cell(std::to_string(traffic.total.refused[reason]), "number");
    rows += cell(last == traffic.refusals.rend() ? "" : ago(now - last->at), "number") + "</tr>\n";
  }
  if (rows.empty()) rows = "<tr><td colspan=\"3\" class=\"dim\">nothing has been refused</td></tr>\n";
  return table("Refusals by reason", {"Reason", "Count", "Last"}, rows);
}

std::string event_text(const Event& event, health::Details details) {
  if (event.to == to_string(CheckStatus::unknown)) {
    return "<strong>" + escaped_html(event.check) + "</strong> may run now";
  }
  std::string text = event.check.empty() ? "" : "<strong>" + escaped_html(event.check) + "</strong> ";
  if (event.kind == EventKind::start) {
    text += event.from.empty() ? "first recorded start"
                               : "the previous process ended as " + escaped_html(event.from);
    if (!event.message.empty()) text += ";";
  } else if (!event.from.empty()) {
    text += escaped_html(event.from) + " → ";
  }
  const bool open_breaker = event.kind == EventKind::auth_breaker && event.to == "open";
  if (!event.to.empty()) text += tag(open_breaker ? "bad" : tone(event.to), event.to);
  if (!event.waiting_for.empty()) text += " waiting for " + escaped_html(joined(event.waiting_for));
  if (event.error) text += " " + escaped_html(error_text(*event.error, details));
  if (event.kind == EventKind::stuck && event.message.empty()) text += "all data loops respond again";
  if (details == health::Details::full && !event.message.empty()) text += " " + escaped_html(event.message);
  if (event.took && event.kind == EventKind::frozen) text += "for " + seconds_text(*event.took);
  if (event.count > 1) text += " (" + std::to_string(event.count) + " times)";
  return text;
}

std::string events_table(const StatusView& view) {
  const auto& events = view.source.history().events();
  std::string rows;
  std::size_t shown = 0;
  for (auto event = events.rbegin(); event != events.rend() && shown < kEventsShown; ++event, ++shown) {
    rows += "<tr>" + cell("<time datetime=\"" + iso8601(event->wall) + "\">" + age(view, event->since_start) +
                              "</time>",
                          "number");
    rows += cell(spaced(to_string(event->kind))) + cell(event_text(*event, view.details), "why") + "</tr>\n";
  }
  if (rows.empty()) rows = "<tr><td colspan=\"3\" class=\"dim\">nothing yet</td></tr>\n";
  if (shown < events.size()) {
    rows += "<tr><td colspan=\"3\" class=\"dim\">" + std::to_string(events.size() - shown) +
            " older events are in /status</td></tr>\n";
  }
  return table("Recent events", {"When", "What", "How"}, rows);
}

}  // namespace

std::string status_fragment(const StatusView& view) {
  const TrafficReport traffic = view.source.traffic();
  return headline(view, traffic) + figures(view, traffic) + check_table(view) + timeline_table(view) +
         "<div id=\"lately\">\n" + events_table(view) + refusals_table(traffic, view.now) + "</div>\n" +
         identity(view) + "<p class=\"dim\">probegate " + escaped_html(view.version) + ", " +
         iso8601(view.wall) + "</p>\n";
}

std::string status_page(const StatusView& view) {
  std::string page(page::kBeforeTitle);
  page.append(title(view)).append(page::kBeforeMain);
  return page.append(status_fragment(view)).append(page::kAfterMain);
}

std::string_view page_security_policy() { return page::kSecurityPolicy; }

}  // namespace probegate::probe
