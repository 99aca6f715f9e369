#include <algorithm>
#include <set>

#include "base/text.h"
#include "config/describe.h"
#include "config/guess_type.h"
#include "config/read_config.h"
#include "config/read_tls.h"
#include "config/wrong_names.h"

namespace probegate::config {
namespace {

constexpr Duration kShortestInterval = 10ms;  // shorter intervals would load the dependency
constexpr int kMaxRun = 1000;

// Each check is a top-level boolean of the readiness JSON and must not have the name of another field.
constexpr std::string_view kReserved[] = {"status",         "timestamp",       "gate",   "waiting_for",
                                          "uptime_seconds", "startup_seconds", "checks", "error"};

bool is_check_name(std::string_view name) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && name.size() <= 63 && lower(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return lower(c) || (c >= '0' && c <= '9') || c == '_'; });
}

void check_name(const std::string& name, const Fields& fields) {
  if (std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved)) {
    fields.problem_here("a check cannot have the name of a field of the readiness response: " +
                        joined(kReserved));
  } else if (!is_check_name(name)) {
    fields.problem_here(
        "a check name must start with a-z and contain only a-z, 0-9 and _, at most 63 characters");
  }
}

bool is_type(const std::string& word, const std::vector<std::string>& types) {
  return std::find(types.begin(), types.end(), word) != types.end();
}

// The type, or the one that was probably meant: its keys are validated too, so that one run
// reports all errors.
std::string read_type(const std::string& name, const Fields& fields, const std::vector<std::string>& types,
                      const Vocabulary* vocabulary) {
  auto type = fields.text("type", "");
  if (is_type(type, types)) return type;
  if (!fields.has("type")) {
    fields.problem("type", "is missing, allowed are " + joined(types));
  } else if (!type.empty()) {
    fields.problem("type", quote(type) + " is unknown" + allowed_hint(type, types));
  }
  return vocabulary == nullptr ? "" : guess_type(name, fields, *vocabulary);
}

bool keeps_sessions(std::string_view type) {
  return type == "mysql" || type == "postgres" || type == "redis";
}

std::optional<TlsKeys> tls_keys(std::string_view type) {
  if (type == "postgres") return TlsKeys::files;
  const bool speaks_tls = type == "grpc" || type == "http" || type == "mysql" || type == "websocket" ||
                          type == "redis" || type == "tcp";
  return speaks_tls ? std::optional(TlsKeys::all) : std::nullopt;
}

void read_affects(const Fields& fields, CheckSpec& check) {
  std::vector<std::string> fallback = {"startup", "readiness"};
  if (check.type == "websocket") fallback.push_back("traffic");
  const auto affects = fields.choices("affects", fallback, {"startup", "readiness", "traffic"});
  const auto has = [&](std::string_view word) {
    return std::find(affects.begin(), affects.end(), word) != affects.end();
  };
  check.startup = has("startup");
  check.readiness = has("readiness");
  check.traffic = has("traffic");
}

CheckSpec read_check(const std::string& name, const Fields& fields, const CheckTypes& types,
                     const Vocabulary* vocabulary) {
  CheckSpec check;
  check.name = name;
  check.fields = fields;
  check_name(name, fields);
  if (fields.broken()) return check;
  check.type = read_type(name, fields, types.names, vocabulary);
  if (check.type.empty() && vocabulary != nullptr) fields.know(vocabulary->keys_of_any_type());
  read_affects(fields, check);
  check.needs = fields.text_list("needs", {});
  check.interval = fields.duration("interval", check.interval, kShortestInterval);
  check.startup_interval = fields.duration("startup_interval", check.startup_interval, kShortestInterval);
  check.timeout = fields.duration("timeout", check.timeout, 1ms);
  check.rise = static_cast<int>(fields.integer("rise", check.rise, 1, kMaxRun));
  check.fall = static_cast<int>(fields.integer("fall", check.fall, 1, kMaxRun));
  check.initial_delay = fields.duration("initial_delay", check.initial_delay);
  check.slow = fields.duration("slow", check.slow);
  if (check.slow >= check.timeout) {
    fields.problem("slow", "must be less than timeout (" + format_duration(check.timeout) +
                               "), otherwise a check would fail before it is slow");
  }
  if (check.type == "redis") check.stable_for = fields.duration("stable_for", check.stable_for);
  if (keeps_sessions(check.type)) check.max_session = fields.duration("max_session", check.max_session);
  if (const auto keys = tls_keys(check.type)) check.tls = read_tls(fields, *keys, types);
  return check;
}

const CheckSpec* find(const std::vector<CheckSpec>& checks, std::string_view name) {
  const auto found =
      std::find_if(checks.begin(), checks.end(), [&](const CheckSpec& check) { return check.name == name; });
  return found == checks.end() ? nullptr : &*found;
}

void check_needs(const CheckSpec& check, const std::vector<CheckSpec>& checks) {
  std::vector<std::string_view> others;
  for (const auto& other : checks) {
    if (other.name != check.name) others.push_back(other.name);
  }
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < check.needs.size(); ++i) {
    const auto& need = check.needs[i];
    if (need == check.name) {
      check.fields.item_problem("needs", i, "a check cannot need itself");
    } else if (!find(checks, need)) {
      check.fields.item_problem(
          "needs", i,
          "there is no check named " + quote(need) + (others.empty() ? "" : allowed_hint(need, others)));
    } else if (!seen.insert(need).second) {
      check.fields.item_problem("needs", i, "duplicate entry " + quote(need));
    }
  }
}

// Depth-first search along `needs`; reports each cycle once, at its first check in file order.
class CycleFinder {
 public:
  explicit CycleFinder(const std::vector<CheckSpec>& checks) : checks_(checks) {}

  void visit(const CheckSpec& check) {
    const auto again = std::find(path_.begin(), path_.end(), &check);
    if (again != path_.end()) {
      if (path_.end() - again > 1) report(again);  // a check that needs itself was already reported
      return;
    }
    if (!done_.insert(&check).second) return;
    path_.push_back(&check);
    for (const auto& need : check.needs) {
      if (const auto* next = find(checks_, need)) visit(*next);
    }
    path_.pop_back();
  }

 private:
  using Path = std::vector<const CheckSpec*>;

  void report(Path::iterator first) const {
    std::string names;
    for (auto step = first; step != path_.end(); ++step) names += (*step)->name + " needs ";
    (*first)->fields.contradiction("needs", "dependency cycle: " + names + (*first)->name);
  }

  const std::vector<CheckSpec>& checks_;
  Path path_;
  std::set<const CheckSpec*> done_;
};

}  // namespace

std::vector<CheckSpec> read_checks(const Fields& root, const CheckTypes& types,
                                   const Vocabulary* vocabulary) {
  std::vector<CheckSpec> checks;
  for (const auto& [name, fields] : root.sections("checks"))
    checks.push_back(read_check(name, fields, types, vocabulary));
  CycleFinder cycles(checks);
  for (const auto& check : checks) {
    check_needs(check, checks);
    cycles.visit(check);
  }
  return checks;
}

}  // namespace probegate::config
