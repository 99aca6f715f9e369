#include "health/start_record.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"

namespace probegate::health {
namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::string_view kStateKey = "\"state\": \"";  // as to_json() writes it

bool is_cause(const std::string& word) {
  constexpr std::size_t kLongest = 32;
  return !word.empty() && word.size() <= kLongest &&
         std::all_of(word.begin(), word.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

// These throw exceptions of the JSON library, or std::runtime_error.

std::uint64_t count_of(const nlohmann::json& json, const char* key) {
  if (!json.at(key).is_number_unsigned()) throw std::runtime_error("invalid count");
  return json.at(key).get<std::uint64_t>();
}

Start start_of(const nlohmann::json& json) {
  Start start;
  const auto started = parse_iso8601(json.at("started").get<std::string>());
  if (!started) throw std::runtime_error("invalid time");
  start.started = *started;
  if (!json.at("ended").is_null()) start.ended = parse_iso8601(json.at("ended").get<std::string>());
  start.end = json.at("end").get<std::string>();
  if (!is_cause(start.end)) throw std::runtime_error("invalid end");
  return start;
}

}  // namespace

bool StartRecord::begin(WallTime now, const Alive& alive) {
  bool unclean = false;
  before_is_unknown_ = std::exchange(unwritten, false);
  auto number = first_number();
  for (auto& start : recent) {
    const bool lives = alive && start.end != end_cause::kCannotListen && alive(number);
    ++number;
    if (lives) continue;
    unclean = start.end == end_cause::kRunning || start.end == end_cause::kDraining;
    if (!unclean) continue;
    if (before_is_unknown_ && &start == &recent.back()) {
      unclean = false;
      start.end = end_cause::kUnknown;
      continue;
    }
    start.end = start.end == end_cause::kRunning ? end_cause::kUnclean : end_cause::kKilledInDrain;
    ++unclean_ends;
  }
  add(now, end_cause::kRunning);
  return unclean;
}

void StartRecord::begin_failed_start(WallTime now) {
  add(now, end_cause::kCannotListen);
  recent.back().ended = now;
}

void StartRecord::set_end(std::uint64_t number, std::string_view cause, std::optional<WallTime> now) {
  if (number < first_number() || number > starts) return;
  Start& start = recent[number - first_number()];
  start.end = cause;
  start.ended = now;
}

std::string StartRecord::last_end() const {
  if (before_is_unknown_) return std::string(end_cause::kUnknown);
  return recent.size() < 2 ? "" : recent[recent.size() - 2].end;
}

std::vector<Start> StartRecord::within(Duration window, WallTime now) const {
  std::vector<Start> found;
  for (const auto& start : recent) {
    if (start.started <= now && now - start.started <= window) found.push_back(start);
  }
  return found;
}

void StartRecord::add(WallTime now, std::string_view end) {
  ++starts;
  if (recent.size() >= kMostRecent) {
    recent.erase(recent.begin(), recent.end() - static_cast<std::ptrdiff_t>(kMostRecent - 1));
  }
  recent.push_back({now, {}, std::string(end)});
}

std::string end_text(std::string_view cause) {
  return std::string(cause) + (cause == end_cause::kUnknown ? " (the record could not be written)" : "");
}

// No cause is shorter than the mark, so the mark fits over any of them.
std::optional<Mark> unwritten_mark(std::string_view text) {
  const auto key = text.find(kStateKey);
  if (key == std::string_view::npos) return std::nullopt;
  const auto at = key + kStateKey.size();
  const auto end = text.find("\",", at);
  if (end == std::string_view::npos || end - at < end_cause::kUnknown.size()) return std::nullopt;
  std::string bytes = std::string(end_cause::kUnknown) + "\",";
  bytes.resize(end - at + 2, ' ');
  return Mark{at, std::move(bytes)};
}

std::string to_json(const StartRecord& record) {
  auto recent = nlohmann::ordered_json::array();
  for (const auto& start : record.recent) {
    auto ended =
        start.ended ? nlohmann::ordered_json(iso8601(*start.ended)) : nlohmann::ordered_json(nullptr);
    recent.push_back({{"started", iso8601(start.started)}, {"ended", std::move(ended)}, {"end", start.end}});
  }
  const nlohmann::ordered_json json{{"version", kVersion},
                                    {"starts", record.starts},
                                    {"unclean_ends", record.unclean_ends},
                                    {"state", record.recent.empty() ? "" : record.recent.back().end},
                                    {"last_end", record.last_end()},
                                    {"recent", std::move(recent)}};
  return json.dump(1) + "\n";
}

Result<StartRecord> parse_start_record(std::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (const auto version = count_of(json, "version"); version != kVersion) {
      return failure("it has version " + std::to_string(version) + ", not " + std::to_string(kVersion));
    }
    StartRecord record;
    record.starts = count_of(json, "starts");
    record.unclean_ends = count_of(json, "unclean_ends");
    record.unwritten = json.value("state", "") == end_cause::kUnknown;
    for (const auto& start : json.at("recent")) record.recent.push_back(start_of(start));
    if (record.recent.size() > record.starts) throw std::runtime_error("more starts than were counted");
    return record;
  } catch (const std::exception&) {
    return failure("it is not a state file");
  }
}

}  // namespace probegate::health
