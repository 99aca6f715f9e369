#include "probe/status_page.h"

#include <chrono>
#include <cstdio>

#include "base/text.h"

namespace probegate::probe {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --good: #1a7f37; --warn: #9a6700; --bad: #cf222e; --dim: #6e7781; --line: #d0d7de; }
@media (prefers-color-scheme: dark) {
  :root { --good: #3fb950; --warn: #d29922; --bad: #f85149; --dim: #8b949e; --line: #30363d; }
}
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .4rem .8rem .4rem 0; text-align: left; vertical-align: top; }
th { color: var(--dim); font-weight: normal; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); } .dim { color: var(--dim); }
.wide { overflow-x: auto; }
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string cell(std::string_view html, std::string_view css_class = {}) {
  std::string out = css_class.empty() ? "<td>" : "<td class=\"" + std::string(css_class) + "\">";
  return out.append(html).append("</td>");
}

std::string colored(std::string_view css_class, std::string_view text) {
  return "<strong class=\"" + std::string(css_class) + "\">" + escaped(text) + "</strong>";
}

std::string_view color_of(health::CheckStatus status) {
  switch (status) {
    case health::CheckStatus::pass: return "good";
    case health::CheckStatus::warn: return "warn";
    case health::CheckStatus::fail: return "bad";
    case health::CheckStatus::waiting:
    case health::CheckStatus::unknown: return "dim";
  }
  return "dim";
}

// "12 s ago": a difference of wall times, which may be negative after the clock was set; then it is now.
std::string ago(WallTime then, WallTime wall) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wall - then).count();
  if (seconds < 1) return "now";
  return format_duration(std::chrono::seconds(seconds)) + " ago";
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string affects_text(const health::Affects& affects) {
  std::vector<std::string> words;
  if (affects.startup) words.emplace_back("startup");
  if (affects.readiness) words.emplace_back("readiness");
  if (affects.traffic) words.emplace_back("traffic");
  return words.empty() ? "reported only" : joined(words);
}

std::string why_text(const health::CheckState& state, const std::vector<health::CheckPolicy>& policies,
                     health::Details details) {
  if (state.status == health::CheckStatus::waiting) {
    std::vector<std::string> names;
    for (const std::size_t need : state.waiting_for) names.push_back(policies[need].name);
    return "waits for " + joined(names);
  }
  if (!state.error) return {};
  std::string text(to_string(state.error->kind));
  if (!state.error->sqlstate.empty()) text += " (SQLSTATE " + state.error->sqlstate + ")";
  if (details == health::Details::full) {
    text += ": " + state.error->message;
    if (!state.error->missing.empty()) text += " (missing: " + joined(state.error->missing) + ")";
  }
  return text;
}

std::string latency_text(const std::optional<Duration>& latency) {
  if (!latency) return {};
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", to_millis(*latency));
  return text;
}

std::string check_row(const health::Snapshot& snapshot, std::size_t index, health::Details details,
                      WallTime wall) {
  const auto& policies = *snapshot.policies;
  const health::CheckState& state = snapshot.checks[index];
  std::string row = "<tr>";
  row += cell(escaped(policies[index].name) + " <span class=\"dim\">" + escaped(policies[index].type) +
              "</span>");
  row += cell(colored(color_of(state.status), to_string(state.status)));
  row += cell(escaped(why_text(state, policies, details)));
  row += cell(escaped(affects_text(policies[index].affects)));
  row += cell(latency_text(state.latency), "number");
  row += cell(ago(state.since, wall), "number");
  row += cell(state.last_run ? ago(*state.last_run, wall) : "never", "number");
  row += cell(std::to_string(state.runs), "number");
  row += cell(std::to_string(state.failures), "number");
  return row + "</tr>\n";
}

}  // namespace

std::string status_page(const health::Snapshot& snapshot, health::Details details, std::string_view version,
                        TimePoint now, WallTime wall) {
  const health::Judgement judgement = judge(health::Document::readiness, snapshot);
  std::string page = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">";
  page +=
      "<meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"2\">";
  page += "<title>probegate: " + std::string(judgement.word) + "</title><style>";
  page.append(kStyle).append("</style></head><body>\n");
  page += "<h1>" + colored(judgement.ok ? "good" : "bad", judgement.word) + "</h1>\n<p>The gate is <strong>";
  page.append(to_string(snapshot.gate)).append("</strong>");
  if (!snapshot.waiting_for.empty()) {
    page += ", waiting for <strong>" + escaped(joined(snapshot.waiting_names())) + "</strong>";
  }
  page += ". Up for " + health::uptime_text(now - snapshot.started) + " s";
  if (snapshot.startup) page += ", first open after " + health::uptime_text(*snapshot.startup) + " s";
  if (!snapshot.stuck_loops.empty()) page += ". " + colored("bad", "Stuck: " + snapshot.stuck_loops);
  page += ".</p>\n<div class=\"wide\"><table>\n<tr><th>Check</th><th>Status</th><th>Why</th><th>Affects</th>";
  page += "<th>Latency</th><th>Since</th><th>Last run</th><th>Runs</th><th>Failures</th></tr>\n";
  for (std::size_t i = 0; i < snapshot.checks.size(); ++i) page += check_row(snapshot, i, details, wall);
  page += "</table></div>\n<p class=\"dim\">probegate " + escaped(version) + ", " + iso8601(wall);
  page +=
      ". The same as JSON: <a href=\"/status\">/status</a>, numbers: <a href=\"/metrics\">/metrics</a></p>\n";
  return page + "</body></html>\n";
}

}  // namespace probegate::probe
