#include "app/reload.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace probegate::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kLastRead = 500ms;  // for a reading that is under way when the process ends
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

const checks::PlannedCheck* find(const Settings& settings, const std::string& name) {
  for (std::size_t i = 0; i < settings.planned.size(); ++i) {
    if (settings.config.checks[i].name == name) return &settings.planned[i];
  }
  return nullptr;
}

}  // namespace

struct Reload::Reading {
  std::mutex mutex;
  std::condition_variable finished;
  loop::Wakeup* wakeup = nullptr;  // null once nobody waits for it
  std::unique_ptr<Settings> settings;

  void put(std::unique_ptr<Settings> read) {
    const std::lock_guard lock(mutex);
    settings = std::move(read);
    if (wakeup != nullptr) wakeup->notify();
    finished.notify_all();
  }
};

Reload::Reload(loop::Loop& loop, const Settings& running, Log& log, metrics::ControlMetrics& metrics,
               Apply apply, Refused refused)
    : loop_(loop),
      log_(log),
      metrics_(metrics),
      apply_(std::move(apply)),
      refused_(std::move(refused)),
      running_(running),
      wakeup_(loop, [this] { take(); }) {
  metrics_.configured = loop.wall_now();
}

Reload::~Reload() {
  if (!reading_) return;
  std::unique_lock lock(reading_->mutex);
  reading_->wakeup = nullptr;
  reading_->finished.wait_for(lock, kLastRead, [this] { return reading_->settings != nullptr; });
}

void Reload::request() {
  if (ended_) return log_.warn("SIGHUP is ignored: this process is about to end");
  if (!running_.file) {
    return log_.warn("SIGHUP: there is no configuration file to read again, only the environment");
  }
  if (reading_) {
    again_ = true;
  } else {
    begin();
  }
}

void Reload::end() { ended_ = true; }

void Reload::begin() {
  auto reading = std::make_shared<Reading>();
  reading->wakeup = &wakeup_;
  // Signals belong to the control loop.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread([reading, file = running_.file] {
      ::pthread_setname_np(::pthread_self(), "reload");
      auto settings = std::make_unique<Settings>();
      try {
        *settings = load_settings(file);
      } catch (const std::exception& e) {
        settings->problems = {*file + ": " + e.what()};
      }
      reading->put(std::move(settings));
    }).detach();
    reading_ = std::move(reading);
  } catch (const std::exception& e) {
    log_.error("the configuration cannot be read now, the old one stays", {{"why", e.what()}});
    metrics_.reloads[metrics::ReloadResult::failure].add();
    refused_(e.what());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Reload::take() {
  if (!reading_) return;
  std::unique_ptr<Settings> read;
  {
    const std::lock_guard lock(reading_->mutex);
    read = std::move(reading_->settings);
  }
  if (!read) return;
  reading_.reset();
  if (!ended_) finish(std::move(*read));
  if (std::exchange(again_, false) && !ended_) begin();
}

void Reload::finish(Settings next) {
  if (next.blank && !running_.blank) {
    // A file caught while it was being written; as a configuration it would end every check.
    next.problems.push_back(*running_.file + ": the file is empty; write {} if that is meant");
  }
  if (next.problems.empty()) next.problems = needs_restart(running_, next);
  if (!next.problems.empty()) return refuse(next);
  apply_(next);
  metrics_.reloads[metrics::ReloadResult::success].add();
  metrics_.configured = loop_.wall_now();
  log_changes(next);
  running_ = std::move(next);
}

void Reload::refuse(const Settings& next) {
  for (const auto& problem : next.problems) log_.error(problem);
  log_.error("configuration refused, the old one stays",
             {{"config", *running_.file}, {"mistakes", next.problems.size()}});
  metrics_.reloads[metrics::ReloadResult::failure].add();
  const auto mistakes = next.problems.size();
  refused_(std::to_string(mistakes) + (mistakes == 1 ? " mistake" : " mistakes") + ", see the log");
}

// Names only: values may be secrets.
void Reload::log_changes(const Settings& next) const {
  std::vector<std::string> added;
  std::vector<std::string> removed;
  std::vector<std::string> restarted;
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
  log_.info("configuration reloaded", {{"config", *next.file},
                                       {"changed", joined(keys)},
                                       {"checks_added", joined(added)},
                                       {"checks_removed", joined(removed)},
                                       {"checks_restarted", joined(restarted)}});
}

std::vector<std::string> needs_restart(const Settings& running, const Settings& next) {
  std::vector<std::string> lines;
  const auto compare = [&](const char* key, const std::string& before, const std::string& after) {
    if (before == after) return;
    lines.push_back(next.source + ": " + key + ": needs a restart, it cannot change from " + before + " to " +
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

}  // namespace probegate::app
