#include "sidecar/reload.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

namespace probegate::sidecar {
namespace {

using namespace std::chrono_literals;

constexpr auto kLastRead = 500ms;  // for the current reading when the process ends
constexpr std::size_t kMostKeys = 20;

std::string listed(const std::vector<Endpoint>& endpoints) {
  std::string text;
  for (const auto& endpoint : endpoints) text += (text.empty() ? "" : ", ") + endpoint.to_string();
  return text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < std::min(words.size(), kMostKeys); ++i) text += (i > 0 ? " " : "") + words[i];
  if (words.size() > kMostKeys) text += " and " + std::to_string(words.size() - kMostKeys) + " more";
  return text;
}

const checks::PlannedCheck* find(const checks::Settings& settings, const std::string& name) {
  for (std::size_t i = 0; i < settings.planned.size(); ++i) {
    if (settings.config.checks[i].name == name) return &settings.planned[i];
  }
  return nullptr;
}

checks::Settings read(const std::optional<std::string>& file) {
  try {
    return checks::load_settings(file);
  } catch (const std::exception& e) {
    checks::Settings settings;
    settings.problems = {*file + ": " + e.what()};
    return settings;
  }
}

}  // namespace

Reload::Reload(loop::Loop& loop, const checks::Settings& running, Log& log, metrics::ControlMetrics& metrics,
               const Shutdown& shutdown, Apply apply, Refused refused)
    : loop_(loop),
      log_(log),
      metrics_(metrics),
      shutdown_(shutdown),
      apply_(std::move(apply)),
      refused_(std::move(refused)),
      running_(running),
      file_watch_(loop, [this] {
        log_.info("configuration file changed; reloading", {{"config", *running_.file}});
        read_again();
      }) {
  metrics_.configured = loop.wall_now();
  file_watch_.watch_from_now(watched({}));
}

Reload::~Reload() {
  if (reading_) std::ignore = reading_->wait(kLastRead);
}

void Reload::request() {
  if (shutdown_.ending()) return log_.warn("SIGHUP ignored: the process is shutting down");
  if (!running_.file) {
    return log_.warn(
        "SIGHUP ignored: there is no configuration file; the environment is read only at the start");
  }
  read_again();
}

void Reload::ask(Done done) {
  const auto impossible = [&](const char* why) {
    done({.kind = ReloadOutcome::Kind::impossible, .config = running_.source, .problems = {why}});
  };
  if (shutdown_.ending()) return impossible("the process is shutting down");
  if (!running_.file)
    return impossible("there is no configuration file; the environment is read only at the start");
  for_next_.push_back(std::move(done));
  read_again();
}

void Reload::read_again() {
  if (shutdown_.ending()) return;
  if (reading_) {
    again_ = true;
  } else {
    begin();
  }
}

void Reload::end() {
  file_watch_.watch({});
  for (auto* waiting : {&waiting_, &for_next_}) {
    for (const auto& done : std::exchange(*waiting, {})) {
      done({.kind = ReloadOutcome::Kind::impossible,
            .config = running_.source,
            .problems = {"the process is shutting down"}});
    }
  }
}

std::vector<std::string> Reload::watched(const std::vector<std::string>& more) const {
  std::vector<std::string> files;
  if (!running_.config.reload.watch || !running_.file || shutdown_.ending()) return files;
  files = running_.files;
  files.push_back(*running_.file);
  files.insert(files.end(), more.begin(), more.end());
  return files;
}

void Reload::watch(const std::vector<std::string>& more) { file_watch_.watch(watched(more)); }

void Reload::begin() {
  std::move(for_next_.begin(), for_next_.end(), std::back_inserter(waiting_));
  for_next_.clear();
  try {
    reading_ = std::make_unique<loop::BackgroundJob<checks::Settings>>(
        loop_, "reload", [file = running_.file] { return read(file); },
        [this](checks::Settings settings) { take(std::move(settings)); });
  } catch (const std::exception& e) {
    log_.error("configuration cannot be read; keeping the running configuration", {{"why", e.what()}});
    metrics_.reloads[metrics::ReloadResult::failure].add();
    refused_(e.what());
    for (const auto& done : std::exchange(waiting_, {}))
      done({.kind = ReloadOutcome::Kind::refused, .config = *running_.file, .problems = {e.what()}});
  }
}

void Reload::take(checks::Settings read) {
  reading_.reset();
  if (shutdown_.ending()) return;
  const auto outcome = finish(std::move(read));
  for (const auto& done : std::exchange(waiting_, {})) done(outcome);
  if (std::exchange(again_, false) && !shutdown_.ending()) begin();
}

ReloadOutcome Reload::finish(checks::Settings next) {
  if (next.blank && !running_.blank) {
    // Probably an incomplete write. Applied, it would remove every check.
    next.problems.push_back(*running_.file + ": the file is empty; write {} if that is intended");
  }
  if (next.problems.empty()) next.problems = needs_restart(running_, next);
  if (!next.problems.empty()) return refuse(next);
  apply_(next);
  metrics_.reloads[metrics::ReloadResult::success].add();
  metrics_.configured = loop_.wall_now();
  auto outcome = changes(next);
  log_.info("configuration reloaded", {{"config", outcome.config},
                                       {"changed", joined(outcome.changed)},
                                       {"checks_added", joined(outcome.checks_added)},
                                       {"checks_removed", joined(outcome.checks_removed)},
                                       {"checks_restarted", joined(outcome.checks_restarted)}});
  running_ = std::move(next);
  watch({});
  return outcome;
}

ReloadOutcome Reload::refuse(const checks::Settings& next) {
  for (const auto& problem : next.problems) log_.error(problem);
  log_.error("configuration refused; keeping the running configuration",
             {{"config", *running_.file}, {"mistakes", next.problems.size()}});
  metrics_.reloads[metrics::ReloadResult::failure].add();
  const auto mistakes = next.problems.size();
  refused_(std::to_string(mistakes) + (mistakes == 1 ? " mistake" : " mistakes") + ", see the log");
  watch(next.files);  // a missing secret file may be created later
  return {.kind = ReloadOutcome::Kind::refused, .config = *running_.file, .problems = next.problems};
}

ReloadOutcome Reload::changes(const checks::Settings& next) const {
  ReloadOutcome outcome{.config = *next.file};
  auto& added = outcome.checks_added;
  auto& removed = outcome.checks_removed;
  auto& restarted = outcome.checks_restarted;
  for (const auto& check : next.config.checks) {
    const auto* before = find(running_, check.name);
    if (before == nullptr) {
      added.push_back(check.name);
    } else if (before->question != find(next, check.name)->question) {
      restarted.push_back(check.name);
    }
  }
  for (const auto& check : running_.config.checks) {
    if (find(next, check.name) == nullptr) removed.push_back(check.name);
  }
  auto keys = config::changed_keys(running_.values, next.values);
  std::erase_if(keys, [&](const std::string& key) {
    const auto is_of = [&](const std::string& check) { return key.starts_with("checks." + check + "."); };
    return std::any_of(added.begin(), added.end(), is_of) ||
           std::any_of(removed.begin(), removed.end(), is_of);
  });
  outcome.changed = std::move(keys);
  return outcome;
}

std::string reload_outcome_json(const ReloadOutcome& outcome) {
  using Kind = ReloadOutcome::Kind;
  nlohmann::ordered_json document;
  document["result"] = outcome.kind == Kind::applied   ? "applied"
                       : outcome.kind == Kind::refused ? "refused"
                                                       : "impossible";
  document["config"] = outcome.config;
  if (outcome.kind == Kind::applied) {
    document["changed"] = outcome.changed;
    document["checks_added"] = outcome.checks_added;
    document["checks_removed"] = outcome.checks_removed;
    document["checks_restarted"] = outcome.checks_restarted;
  } else {
    document["problems"] = outcome.problems;
  }
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::vector<std::string> needs_restart(const checks::Settings& running, const checks::Settings& next) {
  std::vector<std::string> lines;
  const auto compare = [&](const char* key, const std::string& before, const std::string& after) {
    if (before == after) return;
    lines.push_back(next.source + ": " + key + ": needs a restart: it cannot change from " + before + " to " +
                    after + " while the process runs");
  };
  const auto& a = running.config;
  const auto& b = next.config;
  compare("proxy.listen", listed(a.proxy.listen), listed(b.proxy.listen));
  compare("proxy.workers", std::to_string(a.proxy.workers), std::to_string(b.proxy.workers));
  compare("probes.listen", listed(a.probes.listen), listed(b.probes.listen));
  compare("state_file", a.state_file.value_or("null"), b.state_file.value_or("null"));
  return lines;
}

}  // namespace probegate::sidecar
